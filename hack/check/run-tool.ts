import { spawn } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** Runs a Node program, named from the root of the repository; returns what it printed when it fails, else nothing. */
export async function runTool(argv: readonly string[]): Promise<string> {
	const [program = "", ...args] = argv;
	const child = spawn(process.execPath, [join(ROOT, program), ...args], {
		cwd: ROOT,
		stdio: ["ignore", "pipe", "pipe"],
	});
	let output = "";
	for (const stream of [child.stdout, child.stderr]) {
		stream.setEncoding("utf8").on("data", (text: string) => {
			output += text;
		});
	}
	const code = await new Promise<number | string | null>((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (exitCode, signal) => resolve(signal ?? exitCode));
	});
	if (code === 0) return "";
	return output.trim() === "" ? `It ended with ${code}.` : output.trim();
}
