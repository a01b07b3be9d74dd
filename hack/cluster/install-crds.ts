import { rm } from "node:fs/promises";
import { join } from "node:path";
import { cacheDir, type KubectlTarget, runKubectl } from "./kubectl.ts";

const CRDS = join(import.meta.dirname, "../../crds");

/** Applies all CRDs of this repository and waits until they are served. */
export async function installCrds(target: KubectlTarget): Promise<void> {
	await runKubectl(target, [
		...["apply", "--server-side", "--force-conflicts"],
		...["-f", CRDS],
	]);
	// It holds what was there before.
	await rm(cacheDir(target), { recursive: true, force: true });
	await runKubectl(target, [
		...["wait", "--for=condition=Established", "--timeout=60s"],
		...["-f", CRDS],
	]);
}
