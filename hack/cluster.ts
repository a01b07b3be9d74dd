/**
 * A Kubernetes of one's own, built from source once, on loopback: etcd and
 * kube-apiserver, where Pods are objects only; with `--node` everything else too,
 * and pods run.
 *
 *   npm run cluster -- up              holds it until Ctrl-C
 *   npm run cluster -- up --node       the same, with a node
 *   npm run cluster -- up --detach     leaves it behind; `down` ends it
 *   npm run cluster -- load FILE.tar   gives the node images, as `docker save` writes them
 *   npm run cluster -- status          whether it runs and where; exit status 0 or 1
 *   npm run -s cluster -- kubeconfig   prints the path of its kubeconfig
 *   npm run cluster -- down            ends it; its objects are gone
 *
 * `--dir D` keeps everything in the folder D, so that there can be several. The
 * node is kind's where Docker's daemon answers and kind is there; else it is made
 * here, by root on Linux, in namespaces of its own.
 */
import { spawn } from "node:child_process";
import {
	closeSync,
	existsSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs, styleText } from "node:util";
import { ClusterError, ControlPlane } from "./cluster/control-plane.ts";
import {
	askCluster,
	type ClusterState,
	listenForControl,
} from "./cluster/control-socket.ts";
import { defaultDir } from "./cluster/default-dir.ts";
import { enterNode, loadImage } from "./cluster/node/cluster-with-node.ts";
import { whyNoKind } from "./cluster/node/kind-cluster.ts";
import { cleanLeftovers } from "./cluster/node/leftovers.ts";
import { startClusterWithNode } from "./cluster/node/start-cluster.ts";
import { ensureKubernetes, ensureNodePrograms } from "./ensure-kubernetes.ts";
import { MissingPrerequisite } from "./programs/missing-prerequisite.ts";
import { firstStopSignal } from "./stop-signal.ts";

const USAGE =
	"Say what to do: up [--node] [--detach], load FILE, down, status or kubeconfig; each takes --dir FOLDER.";
/** Says that the folder is ours to empty. */
const MARK = "lateen-cluster";

process.exitCode = await main().catch((error: unknown) => {
	console.error(`\n${styleText("red", "✗")} ${printFailure(error)}`);
	return 1;
});

async function main(): Promise<number> {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			dir: { type: "string" },
			detach: { type: "boolean" },
			node: { type: "boolean", default: false },
		},
	});
	const [command, ...rest] = positionals;
	if (rest.length !== (command === "load" ? 1 : 0)) {
		throw new ClusterError(USAGE);
	}
	const dir =
		values.dir === undefined
			? defaultDir()
			: // npm runs us in the folder of package.json, wherever it was called.
				resolve(process.env["INIT_CWD"] ?? "", values.dir);
	switch (command) {
		case "up":
			return values.detach === true
				? await detach(dir, values.node)
				: await hold(dir, values.node);
		case "load":
			return await load(
				dir,
				resolve(process.env["INIT_CWD"] ?? "", rest[0] ?? ""),
			);
		case "down":
			return await down(dir);
		case "status":
			return await status(dir);
		case "kubeconfig":
			return await kubeconfig(dir);
		default:
			throw new ClusterError(USAGE);
	}
}

async function hold(dir: string, node: boolean): Promise<number> {
	const stopSignal = firstStopSignal();
	const abort = new AbortController();
	void stopSignal.first.then(() => abort.abort());
	await openDir(dir);
	const startMs = performance.now();
	let ready: ClusterState["ready"];
	const asked = Promise.withResolvers<void>();
	const ended = Promise.withResolvers<void>();
	await using _ = await listenForControl(
		() => ({
			pid: process.pid,
			...(ready && { ready }),
			ageMs: performance.now() - startMs,
		}),
		async () => {
			asked.resolve();
			await ended.promise;
		},
	);
	try {
		const starting = node
			? startClusterWithNode(dir, {}, abort.signal)
			: ensureKubernetes(abort.signal).then((programs) =>
					ControlPlane.start(dir, programs),
				);
		// Only when it has started is there something to end in order; that takes seconds.
		await using plane = await starting;
		stopSignal.onSecond(() => plane.killAll());
		const { server, kubeconfig: path, kubectl, auditLog } = plane;
		ready = {
			server,
			kubeconfig: path,
			kubectl,
			...(auditLog && { auditLog }),
		};
		if ("node" in plane) ready = { ...ready, node: plane.node };
		console.log(printReady(ready, performance.now() - startMs));
		const crash = await Promise.race([
			stopSignal.first,
			asked.promise,
			plane.crash,
		]);
		if (crash !== undefined) throw new ClusterError(crash);
		console.log("\nEnding everything.");
		return 0;
	} catch (error) {
		if (abort.signal.aborted) return 1;
		throw error;
	} finally {
		ended.resolve();
	}
}

/** Starts a process that holds the cluster, and returns when it is ready. */
async function detach(dir: string, node: boolean): Promise<number> {
	// A long build is better watched.
	const isHere = node && (await whyNoKind()) !== undefined;
	await (isHere ? ensureNodePrograms() : ensureKubernetes());
	await openDir(dir);
	const logFile = join(dir, "cluster.log");
	const log = openSync(logFile, "w");
	const { npm_lifecycle_event: _, ...env } = process.env;
	const child = spawn(
		process.execPath,
		[import.meta.filename, "up", "--dir", dir, ...(node ? ["--node"] : [])],
		{ detached: true, stdio: ["ignore", log, log], env },
	);
	closeSync(log);
	let gone = false;
	child.on("exit", () => {
		gone = true;
	});
	child.unref();
	for (;;) {
		const state = await askCluster("status");
		if (state?.ready !== undefined) {
			console.log(printReady(state.ready, state.ageMs));
			return 0;
		}
		if (gone) throw new ClusterError(readFileSync(logFile, "utf8").trim());
		await setTimeout(50);
	}
}

async function load(dir: string, archive: string): Promise<number> {
	const state = enterDir(dir) ? await askCluster("status") : undefined;
	if (state?.ready?.node === undefined) {
		throw new ClusterError(
			`No cluster with a node runs in ${dir}. Start one: npm run cluster -- up --node`,
		);
	}
	await loadImage(state.ready.node, archive);
	return 0;
}

async function down(dir: string): Promise<number> {
	const state = enterDir(dir) ? await askCluster("stop") : undefined;
	for (const left of await cleanLeftovers()) {
		console.log(`Removed what a killed node left in ${left}.`);
	}
	console.log(
		state === undefined
			? `No cluster runs in ${dir}.`
			: `The cluster in ${dir} is gone. Its logs are still there.`,
	);
	return 0;
}

async function status(dir: string): Promise<number> {
	const state = enterDir(dir) ? await askCluster("status") : undefined;
	if (state === undefined) {
		console.log(`No cluster runs in ${dir}.`);
		return 1;
	}
	if (state.ready === undefined) {
		console.log(`A cluster is being started by process ${state.pid}.`);
		return 1;
	}
	const minutes = Math.floor(state.ageMs / 60_000);
	console.log(`It runs since ${minutes} min, held by process ${state.pid}.`);
	console.log(printWays(state.ready));
	return 0;
}

async function kubeconfig(dir: string): Promise<number> {
	const state = enterDir(dir) ? await askCluster("status") : undefined;
	if (state?.ready === undefined) {
		throw new ClusterError(
			`No cluster runs in ${dir}. Start one: npm run cluster -- up`,
		);
	}
	console.log(state.ready.kubeconfig);
	return 0;
}

/** Makes the folder the working directory, unless something else is in it or runs there. */
async function openDir(dir: string): Promise<void> {
	mkdirSync(dir, { recursive: true });
	process.chdir(dir);
	if (!existsSync(MARK) && readdirSync(".").length > 0) {
		throw new ClusterError(
			`${dir} is not empty and no cluster's folder. Name another.`,
		);
	}
	writeFileSync(MARK, "npm run cluster may empty this folder.\n");
	const state = await askCluster("status");
	if (state !== undefined) {
		throw new ClusterError(
			`A cluster runs in ${dir} already (process ${state.pid}). Use it, end it with down, or name another folder with --dir.`,
		);
	}
}

function enterDir(dir: string): boolean {
	if (!existsSync(join(dir, MARK))) return false;
	process.chdir(dir);
	return true;
}

function printReady(
	ready: NonNullable<ClusterState["ready"]>,
	afterMs: number,
): string {
	return `${styleText("green", "✓")} Kubernetes answers at ${ready.server} after ${(afterMs / 1000).toFixed(1)} s.\n${printWays(ready)}`;
}

function printWays(ready: NonNullable<ClusterState["ready"]>): string {
	const { node, auditLog } = ready;
	return [
		"",
		`  export KUBECONFIG=${ready.kubeconfig}`,
		`  alias kubectl=${ready.kubectl}`,
		"  kubectl apply --server-side -f crds/",
		...(auditLog === undefined ? [] : ["", `  Audit log: ${auditLog}`]),
		...(node?.sort === "namespaces"
			? ["", `  Into the node: ${enterNode(node.pid).join(" ")} sh`]
			: []),
	].join("\n");
}

function printFailure(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	if (error instanceof ClusterError || error instanceof MissingPrerequisite) {
		return error.message;
	}
	const isUsage =
		"code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
	return isUsage
		? `${error.message}. ${USAGE}`
		: (error.stack ?? error.message);
}
