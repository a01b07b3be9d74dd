import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { type KubectlTarget, runKubectl } from "./kubectl.ts";

const CRDS = join(import.meta.dirname, "../../crds");
const POLL_MS = 50;
const PATIENCE_MS = 60_000;

/** Applies all CRDs of this repository and waits until their kinds are served and listed. */
export async function installCrds(target: KubectlTarget): Promise<void> {
	const applied = await runKubectl(target, [
		...["apply", "--server-side", "--force-conflicts"],
		...["-f", CRDS, "-o", "name"],
	]);
	await runKubectl(target, [
		...["wait", "--for=condition=Established", "--timeout=60s"],
		...["-f", CRDS],
	]);
	const wanted = applied
		.trim()
		.split("\n")
		.map((name) => name.slice(name.indexOf("/") + 1));
	const endMs = performance.now() + PATIENCE_MS;
	for (;;) {
		// The list follows a moment later, and kubectl remembers what it once was told.
		const listed = await runKubectl(target, [
			...["api-resources", "--cached=false", "--api-group=lateen.dev"],
			...["-o", "name"],
		]);
		const missing = wanted.filter((name) => !listed.includes(name));
		if (missing.length === 0) return;
		if (performance.now() > endMs) {
			throw new Error(`The API server does not list ${missing.join(", ")}.`);
		}
		await setTimeout(POLL_MS);
	}
}
