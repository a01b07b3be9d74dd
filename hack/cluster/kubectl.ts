import { spawn } from "node:child_process";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";

/** A cluster, as far as kubectl needs it. */
export interface KubectlTarget {
	/** Path of the kubeconfig. */
	readonly kubeconfig: string;
	/** Path of the program. */
	readonly kubectl: string;
}

/** kubectl ended with a status other than 0; the message is what it said. */
export class KubectlError extends Error {
	override readonly name = "KubectlError";
	/** What it had printed to its standard output. */
	readonly stdout: string;

	constructor(message: string, stdout: string) {
		super(message);
		this.stdout = stdout;
	}
}

/** Where kubectl remembers which kinds there are: beside the kubeconfig, as another cluster may once have had the same address. */
export function cacheDir(target: KubectlTarget): string {
	return join(dirname(target.kubeconfig), "kubectl-cache");
}

/** Runs kubectl, with `input` as its standard input, and returns what it printed. Throws `KubectlError`. */
export async function runKubectl(
	target: KubectlTarget,
	args: readonly string[],
	input = "",
): Promise<string> {
	const child = spawn(
		target.kubectl,
		[
			"--kubeconfig",
			target.kubeconfig,
			"--cache-dir",
			cacheDir(target),
			...args,
		],
		{ stdio: "pipe" },
	);
	// It may end without reading everything.
	child.stdin.on("error", () => {});
	child.stdin.end(input);
	const [stdout, stderr, [code]] = await Promise.all([
		text(child.stdout),
		text(child.stderr),
		once(child, "close") as Promise<[number | null]>,
	]);
	if (code === 0) return stdout;
	throw new KubectlError(
		stderr.trim() || `kubectl ended with ${code ?? "a signal"}.`,
		stdout,
	);
}
