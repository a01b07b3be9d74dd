import { execFile } from "node:child_process";
import { join } from "node:path";

/** The program as it stands in the source tree. */
export const programPath = join(import.meta.dirname, "../../src/main.ts");

/** What came of one run of the program. */
export interface Ran {
	readonly code: number;
	readonly out: string;
	readonly err: string;
}

/** Runs `lateen` with these words, without the variables of whoever runs the tests. */
export function runLateen(
	words: readonly string[],
	given: {
		readonly input?: string | Uint8Array;
		readonly environment?: Readonly<Record<string, string>>;
		readonly cwd?: string;
	} = {},
): Promise<Ran> {
	return new Promise((resolve) => {
		const child = execFile(
			process.execPath,
			[programPath, ...words],
			{
				env: {
					HOME: "/nonexistent",
					PATH: process.env["PATH"],
					...given.environment,
				},
				maxBuffer: 64 * 1024 * 1024,
				...(given.cwd === undefined ? {} : { cwd: given.cwd }),
			},
			(_, out, err) => resolve({ code: child.exitCode ?? -1, out, err }),
		);
		// A program that does not read its input is free to close it.
		child.stdin?.on("error", () => undefined);
		child.stdin?.end(given.input ?? "");
	});
}
