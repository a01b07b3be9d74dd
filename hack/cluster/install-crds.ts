import { join } from "node:path";
import { type KubectlTarget, runKubectl } from "./kubectl.ts";

const CRDS = join(import.meta.dirname, "../../crds");

/** Applies all CRDs of this repository and waits until they are served. */
export async function installCrds(target: KubectlTarget): Promise<void> {
	await runKubectl(target, [
		...["apply", "--server-side", "--force-conflicts"],
		...["-f", CRDS],
	]);
	await runKubectl(target, [
		...["wait", "--for=condition=Established", "--timeout=60s"],
		...["-f", CRDS],
	]);
}
