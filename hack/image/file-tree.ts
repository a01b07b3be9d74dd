import { posix } from "node:path";

/** One thing of a file system: what it is, who owns it, who may do what. */
export type TreeEntry = {
	/** The user and group it belongs to; 0 if absent. */
	readonly owner?: number;
} & (
	| { readonly kind: "folder"; readonly mode: number }
	| { readonly kind: "file"; readonly mode: number; readonly bytes: Buffer }
	| { readonly kind: "link"; readonly target: string }
);

/**
 * A part of a file system, without times. Paths have no leading slash; each
 * folder on the way to an entry is there, too.
 */
export class FileTree {
	readonly #entries = new Map<string, TreeEntry>();

	/** Adds a file. `mode` says who may do what; 0644 if absent. */
	addFile(path: string, bytes: Buffer | string, mode = 0o644): this {
		return this.#add(path, { kind: "file", mode, bytes: Buffer.from(bytes) });
	}

	/** Adds a symbolic link. */
	addLink(path: string, target: string): this {
		return this.#add(path, { kind: "link", target });
	}

	/** Adds a folder, or says more about one that is there. */
	addFolder(path: string, mode = 0o755, owner = 0): this {
		return this.#add(path, { kind: "folder", mode, owner });
	}

	/** Its entries, each after the folder that it is in, in an order that depends on nothing else. */
	entries(): readonly (readonly [path: string, entry: TreeEntry])[] {
		return [...this.#entries].sort(([a], [b]) => (a < b ? -1 : 1));
	}

	/** The size of all files in bytes. */
	byteLength(): number {
		let sum = 0;
		for (const entry of this.#entries.values()) {
			if (entry.kind === "file") sum += entry.bytes.length;
		}
		return sum;
	}

	#add(path: string, entry: TreeEntry): this {
		const old = this.#entries.get(path);
		if (
			old !== undefined &&
			!(old.kind === "folder" && entry.kind === "folder")
		) {
			throw new Error(`/${path} is in the image twice.`);
		}
		const parent = posix.dirname(path);
		if (parent !== "." && !this.#entries.has(parent)) this.addFolder(parent);
		this.#entries.set(path, entry);
		return this;
	}
}
