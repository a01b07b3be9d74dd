import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { makeCgroup, removeCgroup } from "./cgroups.ts";
import { NoNodeHere } from "./no-node-here.ts";

const run = promisify(execFile);

const INSTEAD =
	"Use a machine, or a container with the machine's own rights and cgroups; or start a Docker daemon and install kind.";

/** Throws `NoNodeHere` when this process may not make the namespaces and cgroups of a node. `path` is where `unshare` is looked for. */
export async function checkMachine(path: string): Promise<void> {
	await run(
		"unshare",
		[
			...["--mount", "--net", "--pid", "--ipc", "--uts", "--mount-proc"],
			...["--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
		],
		{ env: { PATH: path } },
	).catch((error: unknown) => {
		throw new NoNodeHere(
			`A node needs namespaces of its own with mounts in them, and the kernel refuses (${lastLineOf(error)}). ${INSTEAD}`,
			{ cause: error },
		);
	});
	const name = `lateen-${randomBytes(4).toString("hex")}`;
	try {
		await makeCgroup(name);
	} catch (error) {
		throw new NoNodeHere(
			`A node needs cgroups of its own, and the kernel refuses (${lastLineOf(error)}). ${INSTEAD}`,
			{ cause: error },
		);
	} finally {
		await removeCgroup(name);
	}
}

function lastLineOf(error: unknown): string {
	const said = error instanceof Error ? error.message : String(error);
	return said.trim().split("\n").at(-1) ?? "";
}
