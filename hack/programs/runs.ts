import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Whether a program is there and ends well. */
export async function runs(
	program: string,
	args: readonly string[],
): Promise<boolean> {
	return await run(program, args).then(
		() => true,
		() => false,
	);
}
