/**
 * Finds iptables or installs it.
 *
 * Only the tests of captured sidecars need it, and only root may write its
 * rules: whoever is not root, or has no apt, is told what to install, and
 * nothing on the machine is touched.
 */
import { aptInstall, hasApt } from "./programs/apt.ts";
import { lastComplaintOf } from "./programs/complaint-of.ts";
import { runs } from "./programs/runs.ts";
import { say } from "./programs/say.ts";

const PACKAGE = "iptables";

/** The name or path of iptables. Throws one sentence that says what to install. */
export async function ensureIptables(): Promise<string> {
	const found = await findIptables();
	if (found !== undefined) return found;
	if (process.getuid?.() !== 0 || !(await hasApt())) {
		throw new Error(
			`iptables is missing: install it (Debian, Ubuntu: apt-get install ${PACKAGE}).`,
		);
	}
	say(`Installing Debian's package ${PACKAGE} (once).`);
	try {
		await aptInstall([PACKAGE]);
	} catch (error) {
		throw new Error(
			`iptables could not be installed: apt-get says "${lastComplaintOf(error)}". Mend that, or install iptables yourself.`,
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
