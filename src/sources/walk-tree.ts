import { readdirSync, type Stats, statSync } from "node:fs";
import { basename, join } from "node:path";
import { compareText } from "../api/object-ref.ts";
import { errorCode } from "./error-code.ts";
import { isHidden, isManifestFile } from "./manifest-file.ts";

/** A file that may hold manifests. */
export interface TreeFile {
	/** Path below the root; the file's own name when the root is a file. */
	readonly relative: string;
	readonly path: string;
	/** Differs whenever the content may differ. */
	readonly fingerprint: string;
}

/** A folder that was entered. */
export interface TreeFolder {
	/** Path below the root; empty for the root. */
	readonly relative: string;
	readonly path: string;
	/** Differs between two folders that had the same path one after the other. */
	readonly id: string;
	/** Differs whenever an entry may have come or gone. */
	readonly fingerprint: string;
}

/** A place in the tree that cannot be looked into. */
export interface TreeFault {
	readonly relative: string;
	readonly path: string;
	/** As the operating system names it: `EACCES`. */
	readonly code: string;
}

/** What stands below a root. */
export interface Tree {
	readonly files: ReadonlyMap<string, TreeFile>;
	/** A fault with an empty `relative` means that the root itself is not there or cannot be read. */
	readonly faults: readonly TreeFault[];
}

/**
 * Finds the manifest files below a folder, or the one file that `root` is.
 *
 * Symbolic links are followed. Every folder is entered once, by its own path
 * rather than by a link where it has both, so that neither a loop of links nor
 * links that fan out can make the tree larger than what is on disk.
 *
 * `enter` hears of a folder before its entries are read: a watch that it starts
 * misses nothing. `pause` is awaited now and then.
 */
export async function walkTree(
	root: string,
	enter: (folder: TreeFolder) => void,
	pause: () => Promise<void>,
): Promise<Tree> {
	const files = new Map<string, TreeFile>();
	const faults: TreeFault[] = [];
	const entered = new Set<string>();
	const links: string[] = [];

	const visit = async (relative: string): Promise<void> => {
		const path = join(root, relative);
		const name = relative === "" ? basename(root) : relative;
		try {
			const stats = statSync(path);
			if (stats.isFile()) {
				files.set(name, {
					relative: name,
					path,
					fingerprint: fingerprintOf(stats),
				});
				return;
			}
			const id = `${stats.dev}:${stats.ino}`;
			if (!stats.isDirectory() || entered.has(id)) return;
			entered.add(id);
			enter({ relative, path, id, fingerprint: fingerprintOf(stats) });
			const entries = readdirSync(path, { withFileTypes: true });
			entries.sort((a, b) => compareText(a.name, b.name));
			for (const entry of entries) {
				await pause();
				if (isHidden(entry.name)) continue;
				const below = join(relative, entry.name);
				if (entry.isSymbolicLink()) links.push(below);
				else if (entry.isDirectory() || isManifestFile(entry.name)) {
					await visit(below);
				}
			}
		} catch (error) {
			const code = errorCode(error);
			// Between reading a folder and looking at its entries, an entry may go.
			if (code === "ENOENT" && relative !== "") return;
			faults.push({ relative, path, code });
		}
	};

	await visit("");
	for (let link = links.shift(); link !== undefined; link = links.shift()) {
		if (
			isManifestFile(basename(link)) ||
			readStats(join(root, link))?.isDirectory() === true
		)
			await visit(link);
	}
	return { files, faults };
}

/** What changes when the content of a file or folder does; undefined when there is none. */
export function readFingerprint(path: string): string | undefined {
	const stats = readStats(path);
	return stats === undefined ? undefined : fingerprintOf(stats);
}

/** The state of what stands at a path, links followed; undefined when nothing within reach does. */
export function readStats(path: string): Stats | undefined {
	try {
		return statSync(path, { throwIfNoEntry: false });
	} catch (error) {
		// Out of reach, or a circle of links: whoever reads it is told why.
		errorCode(error);
		return undefined;
	}
}

function fingerprintOf(stats: Stats): string {
	const { dev, ino, size, mtimeMs, ctimeMs } = stats;
	return `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;
}
