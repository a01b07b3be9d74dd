import { spawn } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** The program `lateen`, run from source. */
export const LATEEN = join(ROOT, "src/main.ts");

/** Runs the CLI as a person would, and returns what it says. */
export async function runLateen(
	args: readonly string[],
): Promise<{ readonly code: number; readonly output: string }> {
	const child = spawn(process.execPath, [LATEEN, ...args], {
		cwd: ROOT,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (text: string) => {
			output += text;
		});
	}
	const code = await new Promise<number>((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (exitCode) => resolve(exitCode ?? 1));
	});
	return { code, output };
}
