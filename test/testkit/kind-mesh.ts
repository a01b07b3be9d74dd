import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { type KindCluster, loadArchive } from "./kind-cluster.ts";
import { kubectl } from "./kube-cluster.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const MANIFESTS = join(ROOT, "manifests/base");
const { version } = JSON.parse(
	readFileSync(join(ROOT, "package.json"), "utf8"),
) as { readonly version: string };

/** The ConfigMap that says, as long as the cluster lives, that its node has the images. */
const LOADED = ["configmap", "images-of-lateen", "--namespace=kube-system"];

/** The image of the controller, which also has Node.js for programs of tests. */
export const LATEEN_IMAGE = `lateen:${version}`;

/** The image of the proxies, with Envoy and a shell. */
export const LATEEN_PROXY_IMAGE = `lateen-proxy:${version}`;

/**
 * Installs Lateen from `manifests/` with images that are built from this tree,
 * and waits until all replicas are ready.
 *
 * Guarantees: where it is installed already, whoever did it and however it was
 *   changed since, it is as `manifests/` say afterwards; the images are built
 *   once for each cluster.
 */
export async function installLateen(cluster: KindCluster): Promise<void> {
	await loadImages(cluster);
	// A CRD that was made just now is not known at once.
	await eventually(
		() =>
			kubectl(cluster, [
				...["apply", "--server-side", "--force-conflicts", "-k", MANIFESTS],
			]),
		60_000,
	);
	await kubectl(cluster, [
		...["rollout", "status", "deployment/lateen", "--timeout=120s"],
		...["--namespace=lateen-system"],
	]);
}

/** Removes everything that was installed, but for the images. */
export async function uninstallLateen(cluster: KindCluster): Promise<void> {
	await kubectl(cluster, [
		...["delete", "-k", MANIFESTS, "--ignore-not-found", "--timeout=120s"],
	]);
}

/** Files that share a cluster run one after another, and in processes of their own. */
async function loadImages(cluster: KindCluster): Promise<void> {
	const loaded = await kubectl(cluster, [
		...["get", ...LOADED, "--ignore-not-found", "-o", "name"],
	]);
	if (loaded !== "") return;
	using folder = new TemporaryFolder();
	await run(process.execPath, [
		...[join(ROOT, "hack/image.ts"), "--out", folder.at("images")],
		...["--tag", version],
	]);
	for (const name of ["lateen", "lateen-proxy"]) {
		await loadArchive(cluster, folder.at(`images/${name}.tar`));
	}
	await kubectl(cluster, ["create", ...LOADED]);
}
