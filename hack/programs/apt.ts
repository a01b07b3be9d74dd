import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { runs } from "./runs.ts";

const run = promisify(execFile);

/** Whether this machine has apt. */
export async function hasApt(): Promise<boolean> {
	return await runs("apt-get", ["--version"]);
}

/** Installs Debian's packages; takes root. Fails with what `lastComplaintOf` understands. */
export async function aptInstall(packages: readonly string[]): Promise<void> {
	// What the machine knows of its packages may be too old to find one, so it is asked for first.
	await apt("update");
	await apt("install", "--yes", "--no-install-recommends", ...packages);
}

async function apt(...args: readonly string[]): Promise<void> {
	await run("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=60", ...args], {
		env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
		timeout: 300_000,
		maxBuffer: 16 * 1024 * 1024,
	});
}
