import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** Builds the program that users run, and answers its path. */
export async function buildProgram(signal: AbortSignal): Promise<string> {
	const root = join(import.meta.dirname, "..");
	const build = spawn(process.execPath, [join(root, "hack/build.ts")], {
		stdio: "inherit",
		signal,
	});
	const [code] = await once(build, "exit");
	if (code !== 0) throw new Error("The program could not be built.");
	return join(root, "dist/lateen.js");
}
