/**
 * Finds iptables or installs it.
 *
 * Only the tests of captured sidecars need it, and only root may write its
 * rules: whoever is not root, or has no apt, is told what to install, and
 * nothing on the machine is touched.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

const run = promisify(execFile);

const PACKAGE = "iptables";

/** The name or path of iptables. Throws one sentence that says what to install. */
export async function ensureIptables(): Promise<string> {
	const found = await findIptables();
	if (found !== undefined) return found;
	if (process.getuid?.() !== 0 || !(await runs("apt-get", ["--version"]))) {
		throw new Error(
			`iptables is missing: install it (Debian, Ubuntu: apt-get install ${PACKAGE}).`,
		);
	}
	process.stderr.write(
		`lateen: Installing Debian's package ${PACKAGE} (once).\n`,
	);
	try {
		// What the machine knows of its packages may be too old to find one, so it is asked for first.
		await apt("update");
		await apt("install", "--yes", "--no-install-recommends", PACKAGE);
	} catch (error) {
		throw new Error(
			`iptables could not be installed: apt-get says "${lastLine(error)}". Mend that, or install iptables yourself.`,
			{ cause: error },
		);
	}
	const installed = await findIptables();
	if (installed === undefined) {
		throw new Error(
			`The package ${PACKAGE} is installed but iptables does not run. Install one that runs on this machine.`,
		);
	}
	return installed;
}

async function findIptables(): Promise<string | undefined> {
	// Debian keeps it where the PATH of most users does not look.
	for (const file of ["iptables", "/usr/sbin/iptables", "/sbin/iptables"]) {
		if (await runs(file, ["--version"])) return file;
	}
	return undefined;
}

async function apt(...args: readonly string[]): Promise<void> {
	await run("apt-get", ["-qq", "-o", "DPkg::Lock::Timeout=60", ...args], {
		env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
		timeout: 120_000,
	});
}

async function runs(file: string, args: readonly string[]): Promise<boolean> {
	return await run(file, args).then(
		() => true,
		() => false,
	);
}

function lastLine(error: unknown): string {
	const text =
		error instanceof Error && "stderr" in error
			? String(error.stderr)
			: String(error);
	return text.trim().split("\n").at(-1) ?? "";
}
