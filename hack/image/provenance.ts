import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { MissingPrerequisite } from "../programs/missing-prerequisite.ts";
import type { Provenance } from "./recipe.ts";

const run = promisify(execFile);

/**
 * Which state of the sources a work tree has. `SOURCE_DATE_EPOCH`, in seconds,
 * stands in for the time of the commit; outside of git it is 0.
 */
export async function provenanceOf(root: string): Promise<Provenance> {
	const { version } = JSON.parse(
		await readFile(join(root, "package.json"), "utf8"),
	) as { readonly version: string };
	const git = async (...args: readonly string[]): Promise<string> =>
		(await run("git", args, { cwd: root })).stdout.trim();
	const fixed = process.env["SOURCE_DATE_EPOCH"];
	if (fixed !== undefined && !/^\d{1,11}$/.test(fixed)) {
		throw new MissingPrerequisite(
			`SOURCE_DATE_EPOCH is ${JSON.stringify(fixed)}; it takes seconds since 1970. Correct it, or unset it.`,
		);
	}
	try {
		const [commit = "", seconds = ""] = (
			await git("log", "-1", "--format=%H %ct")
		).split(" ");
		const changes = await git("status", "--porcelain", "--untracked-files=no");
		return {
			version,
			revision: changes === "" ? commit : `${commit}-dirty`,
			createdSeconds: Number(fixed ?? seconds),
		};
	} catch {
		return { version, createdSeconds: Number(fixed ?? 0) };
	}
}
