/*
 * Notices changes below a folder.
 *
 * One inotify watch per folder, not Node's recursive watching: that is a watch
 * per file on Linux and loses a folder that is replaced. Events only say where
 * to look; what is there is always read from the file system. As events can be
 * lost (full queue, no watches left, network file systems, links to files
 * outside), a slow scan compares fingerprints, a bounded number per round.
 */
import { type FSWatcher, readdirSync, watch } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { Clock } from "../lib/clock.ts";
import { errorCode } from "./error-code.ts";
import { isHidden, isManifestFile } from "./manifest-file.ts";
import {
	readFingerprint,
	readStats,
	type Tree,
	type TreeFault,
	type TreeFolder,
	walkTree,
} from "./walk-tree.ts";

/** Where to look. */
export interface Dirty {
	/** Files that may have changed, by path below the root; they are there or gone. */
	readonly files: ReadonlySet<string>;
	/** Whether folders or links may have changed, so that the tree must be walked again. */
	readonly tree: boolean;
}

/** How often to look; times in milliseconds. */
export interface WatchTimes {
	/** Events are answered once none came for so long, so that one save is one change. */
	readonly quietMs: number;
	/** … but after so long in any case. */
	readonly maxQuietMs: number;
	/** Time between two rounds of the scan. */
	readonly scanMs: number;
}

/**
 * Fingerprints compared per round. At about 4 µs each and a round every two
 * seconds, 500 are 0.1 % of a core; 10,000 files take 40 seconds to go round.
 */
const SCAN_FILES = 500;

interface WatchedFolder extends TreeFolder {
	/** Undefined when the operating system refused to watch. */
	readonly watcher: FSWatcher | undefined;
	/** Of what is in it and may matter; undefined when only a walk can tell, as with links. */
	readonly names: readonly string[] | undefined;
}

/** Watches a folder, or a single file, until closed. */
export class TreeWatch {
	readonly #root: string;
	readonly #times: WatchTimes;
	readonly #clock: Clock;
	readonly #onDirty: () => void;
	readonly #folders = new Map<string, WatchedFolder>();
	readonly #parent: FSWatcher | undefined;
	#files: ReadonlyMap<string, string> = new Map();
	#scanned = 0;
	#dirtyFiles = new Set<string>();
	#dirtyTree = false;
	#firstDirtyMs: number | undefined;
	#cancelSettle: () => void = () => undefined;
	#cancelScan: () => void;

	/** `onDirty` is called when there is something to take. */
	constructor(
		root: string,
		clock: Clock,
		times: WatchTimes,
		onDirty: () => void,
	) {
		this.#root = root;
		this.#clock = clock;
		this.#times = times;
		this.#onDirty = onDirty;
		// Tells when the root itself is replaced, removed or made.
		const absolute = resolve(root);
		this.#parent = startWatch(dirname(absolute), (_event, name) => {
			if (name === null || name === basename(absolute)) this.#mark(undefined);
		});
		this.#cancelScan = clock.after(times.scanMs, () => this.#scan());
	}

	/** Folders whose changes are noticed by the scan only, as they cannot be watched. */
	get unwatched(): readonly string[] {
		return [...this.#folders.values()]
			.filter(({ watcher }) => watcher === undefined)
			.map(({ path }) => path);
	}

	/** What may have changed since the last call. */
	takeDirty(): Dirty {
		const dirty = { files: this.#dirtyFiles, tree: this.#dirtyTree };
		this.#dirtyFiles = new Set();
		this.#dirtyTree = false;
		this.#firstDirtyMs = undefined;
		this.#cancelSettle();
		return dirty;
	}

	/** Walks the tree, and watches the folders found and no others. */
	async walk(pause: () => Promise<void>): Promise<Tree> {
		const seen = new Set<string>();
		const tree = await walkTree(
			this.#root,
			(folder) => {
				seen.add(folder.relative);
				this.#watchFolder(folder);
			},
			pause,
		);
		for (const [relative, { watcher }] of this.#folders) {
			if (seen.has(relative) || isBelowFault(relative, tree.faults)) continue;
			watcher?.close();
			this.#folders.delete(relative);
		}
		return tree;
	}

	/** Says which files the scan compares, with the fingerprint that each was read at. */
	compareWith(fingerprints: ReadonlyMap<string, string>): void {
		this.#files = fingerprints;
	}

	/** Stops watching. */
	close(): void {
		this.#cancelScan();
		this.#cancelSettle();
		this.#parent?.close();
		for (const { watcher } of this.#folders.values()) watcher?.close();
		this.#folders.clear();
	}

	#watchFolder(folder: TreeFolder): void {
		const before = this.#folders.get(folder.relative);
		const names = readNames(folder.path);
		if (before?.id === folder.id && before.watcher !== undefined) {
			this.#folders.set(folder.relative, { ...before, ...folder, names });
			return;
		}
		before?.watcher?.close();
		const watcher = startWatch(folder.path, (_event, name) => {
			// A folder that is deleted or moved says so under its own name. A new one
			// may get its inode number, so the id cannot tell that the watch is dead.
			if (name === basename(folder.path)) this.#dropWatch(folder.relative);
			this.#onEvent(folder.relative, name);
		});
		this.#folders.set(folder.relative, { ...folder, watcher, names });
	}

	#dropWatch(relative: string): void {
		const folder = this.#folders.get(relative);
		if (folder === undefined) return;
		folder.watcher?.close();
		this.#folders.delete(relative);
		this.#mark(undefined);
	}

	#onEvent(folder: string, name: string | null): void {
		// `..data` of a mounted ConfigMap moves all of its files at once.
		if (name === null || name.startsWith("..")) {
			this.#mark(undefined);
			return;
		}
		if (isHidden(name)) return;
		const relative = join(folder, name);
		const isFolder =
			readStats(join(this.#root, relative))?.isDirectory() === true;
		if (isFolder || this.#folders.has(relative)) this.#mark(undefined);
		else if (isManifestFile(name)) this.#mark(relative);
	}

	#mark(file: string | undefined): void {
		if (file === undefined) this.#dirtyTree = true;
		else this.#dirtyFiles.add(file);
		const nowMs = this.#clock.monotonicMs();
		this.#firstDirtyMs ??= nowMs;
		const { quietMs, maxQuietMs } = this.#times;
		const leftMs = this.#firstDirtyMs + maxQuietMs - nowMs;
		this.#cancelSettle();
		this.#cancelSettle = this.#clock.after(
			Math.max(0, Math.min(quietMs, leftMs)),
			this.#onDirty,
		);
	}

	/** Replacing a file changes its folder too; a walk of the whole tree for it would stop everything else. */
	#scanFolder(folder: WatchedFolder): void {
		const fingerprint = readFingerprint(folder.path);
		if (fingerprint === folder.fingerprint) return;
		const names = readNames(folder.path);
		if (
			// Another folder has the path now, or none.
			fingerprint?.startsWith(`${folder.id}:`) !== true ||
			folder.names === undefined ||
			names === undefined ||
			!areEqual(names, folder.names)
		) {
			this.#mark(undefined);
			return;
		}
		this.#folders.set(folder.relative, { ...folder, fingerprint });
		for (const name of names) {
			if (name.endsWith("/")) continue;
			const relative = join(folder.relative, name);
			const now = readFingerprint(join(folder.path, name));
			if (now !== this.#files.get(relative)) this.#mark(relative);
		}
	}

	#scan(): void {
		for (const folder of [...this.#folders.values()]) this.#scanFolder(folder);
		if (this.#folders.size === 0) this.#mark(undefined);
		const files = [...this.#files];
		const count = Math.min(SCAN_FILES, files.length);
		for (let i = 0; i < count; i++) {
			this.#scanned = (this.#scanned + 1) % files.length;
			const [relative, fingerprint] = files[this.#scanned] ?? [];
			if (relative === undefined) continue;
			const path =
				this.#folders.size === 0 ? this.#root : join(this.#root, relative);
			if (readFingerprint(path) !== fingerprint) this.#mark(relative);
		}
		this.#cancelScan = this.#clock.after(this.#times.scanMs, () =>
			this.#scan(),
		);
	}
}

/** Names in a folder, those of folders with a slash; undefined when there are links, or it cannot be read. */
function readNames(path: string): readonly string[] | undefined {
	try {
		const entries = readdirSync(path, { withFileTypes: true });
		const links = entries.some((entry) => entry.isSymbolicLink());
		if (links) return undefined;
		return entries
			.filter(
				(entry) =>
					!isHidden(entry.name) &&
					(entry.isDirectory() || isManifestFile(entry.name)),
			)
			.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
			.sort();
	} catch (error) {
		// Gone or out of reach: the walk says so.
		errorCode(error);
		return undefined;
	}
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
	return a.length === b.length && a.every((name, i) => name === b[i]);
}

function startWatch(
	path: string,
	onEvent: (event: string, name: string | null) => void,
): FSWatcher | undefined {
	try {
		const watcher = watch(path, onEvent);
		// The folder is gone or out of reach: looking at it again finds out which.
		watcher.on("error", () => onEvent("error", null));
		return watcher;
	} catch (error) {
		// No watches left, or the folder is gone already: the scan covers both.
		errorCode(error);
		return undefined;
	}
}

function isBelowFault(relative: string, faults: readonly TreeFault[]): boolean {
	return faults.some(
		(fault) =>
			fault.relative === "" ||
			relative === fault.relative ||
			relative.startsWith(`${fault.relative}/`),
	);
}
