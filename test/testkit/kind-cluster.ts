import { execFile } from "node:child_process";
import { readdir, realpath } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import {
	loadImage,
	type NodeRef,
} from "../../hack/cluster/node/cluster-with-node.ts";
import {
	type SmallImage,
	writeImageArchive,
} from "../../hack/cluster/node/image-archive.ts";
import { startClusterWithNode } from "../../hack/cluster/node/start-cluster.ts";
import { ensureIptables } from "../../hack/ensure-iptables.ts";
import { ensureProbe } from "../../hack/ensure-kubernetes.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const run = promisify(execFile);

/** A cluster that pods run in, without our CRDs until somebody installs them. */
export interface KindCluster {
	/** Path of a kubeconfig of a cluster administrator. */
	readonly kubeconfig: string;
	/** Base address of the API, `https://127.0.0.1:PORT`. */
	readonly server: string;
	/** Path of kubectl. */
	readonly kubectl: string;
	/** Path of the audit log; absent with kind's own cluster. */
	readonly auditLog?: string;
	readonly node: NodeRef;
}

/** What `probe` of `hack/cluster` is in, with iptables. */
export const PROBE_IMAGE = "lateen.dev/probe:1";

/**
 * The cluster that all files of a test run share: each makes namespaces of its
 * own in it. A file that is run alone starts one for itself, which ends with the
 * last test.
 */
export async function sharedKindCluster(): Promise<KindCluster> {
	const given = process.env["LATEEN_TEST_KIND"];
	if (given !== undefined) return JSON.parse(given) as KindCluster;
	alone ??= ownKindCluster();
	return await alone;
}

let alone: Promise<KindCluster & AsyncDisposable> | undefined;
if (typeof after === "function") {
	after(async () => {
		await (await alone)?.[Symbol.asyncDispose]();
		alone = undefined;
	});
}

/** Starts a cluster, which takes many seconds; its owner disposes of it. */
export async function ownKindCluster(): Promise<KindCluster & AsyncDisposable> {
	const folder = new TemporaryFolder();
	try {
		const cluster = await startClusterWithNode(folder.path);
		const { kubeconfig, server, kubectl, auditLog, node } = cluster;
		return {
			...{ kubeconfig, server, kubectl, node },
			...(auditLog !== undefined && { auditLog }),
			[Symbol.asyncDispose]: async () => {
				await cluster[Symbol.asyncDispose]();
				folder[Symbol.dispose]();
			},
		};
	} catch (error) {
		folder[Symbol.dispose]();
		throw error;
	}
}

/** Gives the cluster's node the images of a `docker save` archive; pods use them with `imagePullPolicy: Never`. */
export async function loadArchive(
	cluster: KindCluster,
	archive: string,
): Promise<void> {
	await loadImage(cluster.node, archive);
}

/** Makes an image of programs of this machine and gives it to the cluster's node. */
export async function loadPrograms(
	cluster: KindCluster,
	image: SmallImage,
): Promise<void> {
	using folder = new TemporaryFolder();
	const archive = folder.at("image.tar");
	await writeImageArchive(archive, image);
	await loadArchive(cluster, archive);
}

/** Gives the node the image `PROBE_IMAGE`: `probe` of `hack/cluster`, which is its entrypoint, and this machine's iptables. */
export async function loadProbe(cluster: KindCluster): Promise<void> {
	const probe = await ensureProbe();
	await loadPrograms(cluster, {
		name: PROBE_IMAGE,
		programs: { "bin/probe": probe, ...(await iptablesFiles()) },
		entrypoint: ["/bin/probe"],
	});
}

/** iptables and ip6tables with what they load, by their places in an image. */
async function iptablesFiles(): Promise<Readonly<Record<string, string>>> {
	const { stdout } = await run("sh", [
		"-c",
		`command -v "$0"`,
		await ensureIptables(),
	]);
	const program = await realpath(stdout.trim());
	const files: Record<string, string> = {
		"usr/sbin/iptables": program,
		"usr/sbin/ip6tables": program,
	};
	const libraries = await librariesOf(program);
	// Its matches and targets are beside the libraries it is linked with.
	const extensions = join(await folderOf("libxtables", libraries), "xtables");
	for (const name of await readdir(extensions)) {
		files[join(extensions, name).slice(1)] = join(extensions, name);
	}
	for (const library of libraries) files[library.slice(1)] = library;
	return files;
}

async function librariesOf(program: string): Promise<readonly string[]> {
	const { stdout } = await run("ldd", [program]);
	return [...stdout.matchAll(/(\/\S+) \(0x/g)].map(([, path = ""]) => path);
}

async function folderOf(
	library: string,
	libraries: readonly string[],
): Promise<string> {
	const path = libraries.find((one) => one.includes(library));
	if (path === undefined)
		throw new Error(`iptables is linked without ${library}.`);
	return join(await realpath(path), "..");
}
