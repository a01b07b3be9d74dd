import type { FileTree, TreeEntry } from "./file-tree.ts";

const BLOCK = 512;

/**
 * A tree as a tar archive (POSIX ustar): all times 0, owners by number only, in
 * the tree's own order, so that equal trees give equal bytes.
 */
export function writeTar(tree: FileTree): Buffer {
	const parts: Buffer[] = [];
	for (const [path, entry] of tree.entries()) {
		parts.push(headerOf(path, entry));
		if (entry.kind !== "file") continue;
		parts.push(entry.bytes, Buffer.alloc(-entry.bytes.length & (BLOCK - 1)));
	}
	// Two empty blocks end an archive.
	parts.push(Buffer.alloc(2 * BLOCK));
	return Buffer.concat(parts);
}

const TYPES = { file: "0", link: "2", folder: "5" } as const;

function headerOf(path: string, entry: TreeEntry): Buffer {
	const header = Buffer.alloc(BLOCK);
	const put = (text: string, offset: number, length: number): void => {
		const written = Buffer.byteLength(text);
		if (written > length) throw new Error(`${text}: too long for a tar.`);
		header.write(text, offset);
	};
	const putNumber = (value: number, offset: number, length: number): void => {
		put(value.toString(8).padStart(length - 1, "0"), offset, length - 1);
	};
	const [prefix, name] = splitPath(entry.kind === "folder" ? `${path}/` : path);
	put(name, 0, 100);
	putNumber(entry.kind === "link" ? 0o777 : entry.mode, 100, 8);
	putNumber(entry.owner ?? 0, 108, 8);
	putNumber(entry.owner ?? 0, 116, 8);
	putNumber(entry.kind === "file" ? entry.bytes.length : 0, 124, 12);
	putNumber(0, 136, 12);
	put(" ".repeat(8), 148, 8);
	put(TYPES[entry.kind], 156, 1);
	if (entry.kind === "link") put(entry.target, 157, 100);
	put("ustar\u000000", 257, 8);
	put(prefix, 345, 155);
	let sum = 0;
	for (const byte of header) sum += byte;
	header.write(`${sum.toString(8).padStart(6, "0")}\u0000 `, 148);
	return header;
}

/** A path of more than 100 bytes is told in two parts, divided at a slash. */
function splitPath(path: string): readonly [prefix: string, name: string] {
	if (Buffer.byteLength(path) <= 100) return ["", path];
	const at = path.indexOf("/", path.length - 101);
	return at < 0 ? ["", path] : [path.slice(0, at), path.slice(at + 1)];
}
