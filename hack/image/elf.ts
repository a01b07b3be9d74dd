/** What a 64-bit little-endian ELF file says of itself that matters for an image. */
export interface Elf {
	/** The loader it asks for, as a path; absent for libraries and static programs. */
	readonly loader?: string;
	/** The names of the libraries it cannot start without. */
	readonly needed: readonly string[];
	/** Where that which is loaded into memory ends, in bytes; behind it are symbols, debug information and their index. */
	readonly loadedEnd: number;
}

const PROGRAM_HEADER = { load: 1, dynamic: 2, interpreter: 3 } as const;
const DYNAMIC = { end: 0, needed: 1, strings: 5 } as const;
const SECTION_TABLE = { offset: 40, count: 60, names: 62 } as const;

interface Segment {
	readonly type: number;
	readonly offset: number;
	readonly address: number;
	readonly size: number;
}

/** Reads an ELF file; undefined if it is none, or one of another architecture's kind. */
export function readElf(file: Buffer): Elf | undefined {
	if (file.length < 64 || file.toString("latin1", 0, 6) !== "\x7fELF\x02\x01") {
		return undefined;
	}
	const segments = segmentsOf(file);
	const ofType = (type: number): Segment | undefined =>
		segments.find((segment) => segment.type === type);
	const interpreter = ofType(PROGRAM_HEADER.interpreter);
	const dynamic = ofType(PROGRAM_HEADER.dynamic);
	return {
		...(interpreter && { loader: textAt(file, interpreter.offset) }),
		needed: dynamic === undefined ? [] : neededOf(file, segments, dynamic),
		loadedEnd: Math.max(...segments.map(({ offset, size }) => offset + size)),
	};
}

/**
 * The file without what is never loaded: symbols, debug information and the
 * table of sections, which only debuggers read. It is what `strip` leaves, less
 * the names of sections.
 */
export function stripElf(file: Buffer): Buffer {
	const elf = readElf(file);
	if (elf === undefined) throw new Error("This is no 64-bit ELF file.");
	const stripped = Buffer.from(file.subarray(0, elf.loadedEnd));
	stripped.writeBigUInt64LE(0n, SECTION_TABLE.offset);
	stripped.writeUInt16LE(0, SECTION_TABLE.count);
	stripped.writeUInt16LE(0, SECTION_TABLE.names);
	return stripped;
}

function segmentsOf(file: Buffer): readonly Segment[] {
	const start = numberAt(file, 32);
	const size = file.readUInt16LE(54);
	return Array.from({ length: file.readUInt16LE(56) }, (_, index) => {
		const at = start + index * size;
		return {
			type: file.readUInt32LE(at),
			offset: numberAt(file, at + 8),
			address: numberAt(file, at + 16),
			size: numberAt(file, at + 32),
		};
	});
}

function neededOf(
	file: Buffer,
	segments: readonly Segment[],
	dynamic: Segment,
): readonly string[] {
	const names: number[] = [];
	let strings = 0;
	for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 16) {
		const tag = numberAt(file, at);
		const value = numberAt(file, at + 8);
		if (tag === DYNAMIC.end) break;
		if (tag === DYNAMIC.needed) names.push(value);
		if (tag === DYNAMIC.strings) strings = offsetOf(value, segments);
	}
	return names.map((name) => textAt(file, strings + name));
}

function offsetOf(address: number, segments: readonly Segment[]): number {
	const home = segments.find(
		(segment) =>
			segment.type === PROGRAM_HEADER.load &&
			address >= segment.address &&
			address < segment.address + segment.size,
	);
	if (home === undefined) throw new Error("The ELF file is broken.");
	return address - home.address + home.offset;
}

function textAt(file: Buffer, offset: number): string {
	return file.toString("latin1", offset, file.indexOf(0, offset));
}

/** Files are far smaller than what a number holds exactly; tags of vendors are not, and are nobody we look for. */
function numberAt(file: Buffer, offset: number): number {
	return Number(file.readBigUInt64LE(offset));
}
