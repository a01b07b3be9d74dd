import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventually } from "./eventually.ts";
import { type KindCluster, loadArchive } from "./kind-cluster.ts";
import { kubectl } from "./kube-cluster.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, "../..");
const MANIFESTS = join(ROOT, "manifests/base");

/** The image of the controller, which also has Node.js for programs of tests. */
export const LATEEN_IMAGE = "lateen:0.1.0";

/** Installs Lateen from `manifests/` with images that are built from this tree, and waits until all replicas are ready. */
export async function installLateen(cluster: KindCluster): Promise<void> {
	using folder = new TemporaryFolder();
	await run(process.execPath, [
		...[join(ROOT, "hack/image.ts"), "--out", folder.at("images")],
		...["--tag", LATEEN_IMAGE.split(":")[1] ?? ""],
	]);
	for (const name of ["lateen", "lateen-proxy"]) {
		await loadArchive(cluster, folder.at(`images/${name}.tar`));
	}
	// A CRD that was made just now is not known at once.
	await eventually(
		() => kubectl(cluster, ["apply", "--server-side", "-k", MANIFESTS]),
		60_000,
	);
	await kubectl(cluster, [
		...["rollout", "status", "deployment/lateen", "--timeout=120s"],
		...["--namespace=lateen-system"],
	]);
}

/** Removes everything that was installed. */
export async function uninstallLateen(cluster: KindCluster): Promise<void> {
	await kubectl(cluster, [
		...["delete", "-k", MANIFESTS, "--ignore-not-found", "--timeout=120s"],
	]);
}
