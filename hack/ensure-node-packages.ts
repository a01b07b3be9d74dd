/**
 * Finds the programs of a node that are not Kubernetes' own, or installs
 * Debian's packages of them.
 *
 * Only root may, and only where there is apt: everybody else is told what to
 * install, and nothing on the machine is touched.
 */
import { delimiter, join } from "node:path";
import { NoNodeHere } from "./cluster/node/no-node-here.ts";
import { aptInstall, hasApt } from "./programs/apt.ts";
import { lastComplaintOf } from "./programs/complaint-of.ts";
import { isExecutable } from "./programs/is-executable.ts";
import { MissingPrerequisite } from "./programs/missing-prerequisite.ts";
import { say } from "./programs/say.ts";

/** Which of Debian's packages has each program. */
const PROGRAMS = {
	containerd: "containerd",
	ctr: "containerd",
	"containerd-shim-runc-v2": "containerd",
	runc: "runc",
	"iptables-restore": "iptables",
	"ip6tables-restore": "iptables",
	ip: "iproute2",
	unshare: "util-linux",
	mount: "mount",
} as const;
/** Plugins that give pods their network, of the package `containernetworking-plugins`. */
const PLUGINS = [
	...["ptp", "host-local", "portmap", "loopback", "tuning"],
] as const;
const PLUGIN_PACKAGE = "containernetworking-plugins";
/** Debian's place first, then the one of everybody else. */
const PLUGIN_FOLDERS = ["/usr/lib/cni", "/opt/cni/bin"] as const;
/** Where Debian keeps root's programs, and the PATH of most users does not look. */
const ROOT_FOLDERS = ["/usr/local/sbin", "/usr/sbin", "/sbin"] as const;

/** Where programs are looked for besides PATH, and plugins at all. */
interface Places {
	readonly folders: readonly string[];
	readonly plugins: readonly string[];
}

const PLACES: Places = { folders: ROOT_FOLDERS, plugins: PLUGIN_FOLDERS };

/** Where a node finds its programs. */
export interface NodePackages {
	/** The PATH with all of them. */
	readonly path: string;
	/** The folder of the CNI plugins. */
	readonly plugins: string;
}

/** Where everything is, after installing what is missing. Throws `MissingPrerequisite`. */
export async function ensureNodePackages(
	places = PLACES,
): Promise<NodePackages> {
	if (process.platform !== "linux" || process.getuid?.() !== 0) {
		throw new NoNodeHere(
			"A node on this machine needs Linux and root: it makes namespaces, mounts and cgroups. Run this as root, or start a Docker daemon and install kind.",
		);
	}
	const before = await findPackages(places);
	if (before.missing.length > 0) await install(before.missing);
	const { missing, packages } = await findPackages(places);
	if (missing.length > 0) {
		throw new MissingPrerequisite(
			`These packages are installed, but not all of their programs are found: ${missing.join(", ")}. Put them on PATH (CNI plugins: ${places.plugins.join(" or ")}).`,
		);
	}
	return packages;
}

/** What is there, and the packages of what is not. */
async function findPackages(places: Places): Promise<{
	readonly missing: readonly string[];
	readonly packages: NodePackages;
}> {
	const folders = [
		...(process.env["PATH"] ?? "").split(delimiter),
		...places.folders,
	];
	const missing = new Set<string>();
	for (const [file, owner] of Object.entries(PROGRAMS)) {
		if ((await folderWith([file], folders)) === undefined) missing.add(owner);
	}
	const plugins = await folderWith(PLUGINS, places.plugins);
	if (plugins === undefined) missing.add(PLUGIN_PACKAGE);
	return {
		missing: [...missing],
		packages: {
			path: folders.join(delimiter),
			plugins: plugins ?? "",
		},
	};
}

/** The first folder that has all of these programs. */
async function folderWith(
	files: readonly string[],
	folders: readonly string[],
): Promise<string | undefined> {
	for (const folder of folders) {
		const found = await Promise.all(
			files.map((file) => isExecutable(join(folder, file))),
		);
		if (found.every(Boolean)) return folder;
	}
	return undefined;
}

async function install(packages: readonly string[]): Promise<void> {
	const list = packages.join(" ");
	const byHand = `Install them yourself (Debian, Ubuntu: apt-get install --no-install-recommends ${list}), or start a Docker daemon and install kind.`;
	if (!(await hasApt())) {
		throw new MissingPrerequisite(
			`A node needs what these packages have: ${list}. ${byHand}`,
		);
	}
	say(`Installing Debian's packages ${packages.join(", ")} (once).`);
	try {
		await aptInstall(packages);
	} catch (error) {
		throw new MissingPrerequisite(
			`The packages ${list} could not be installed: apt-get says "${lastComplaintOf(error)}". ${byHand}`,
			{ cause: error },
		);
	}
}
