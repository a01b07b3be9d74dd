/**
 * Cuts a stream of bytes at its newlines, wherever the stream is split: inside
 * a line, inside a character, or right between two lines.
 */
export class LineSplitter {
	readonly #maxBytes: number;
	#kept: Uint8Array[] = [];
	#keptBytes = 0;

	/** @param maxBytes of one line; what is longer is an error of whoever sends it */
	constructor(maxBytes: number) {
		this.#maxBytes = maxBytes;
	}

	/** Whether the line that is not complete yet is already longer than any may be. */
	get isTooLong(): boolean {
		return this.#keptBytes > this.#maxBytes;
	}

	/** The lines that these bytes complete, without their newline; empty ones are left out. */
	*push(chunk: Uint8Array): Generator<string, void, undefined> {
		let from = 0;
		for (;;) {
			const end = chunk.indexOf(NEWLINE, from);
			if (end === -1) break;
			const line = this.#take(chunk.subarray(from, end));
			from = end + 1;
			if (line.trim() !== "") yield line;
		}
		if (from === chunk.length) return;
		this.#kept.push(chunk.subarray(from));
		this.#keptBytes += chunk.length - from;
	}

	#take(end: Uint8Array): string {
		if (this.#kept.length === 0) return toText(end);
		const line = toText(Buffer.concat([...this.#kept, end]));
		this.#kept = [];
		this.#keptBytes = 0;
		return line;
	}
}

const NEWLINE = 0x0a;

function toText({ buffer, byteOffset, byteLength }: Uint8Array): string {
	return Buffer.from(buffer, byteOffset, byteLength).toString("utf8");
}
