// Messages on a gRPC stream: a byte that says whether the message is
// compressed, its length as four big-endian bytes, the message. See "gRPC over
// HTTP2", Length-Prefixed-Message.

import { GrpcError, grpcStatus } from "../lib/grpc-error.ts";
import type { ByteBudget } from "./byte-budget.ts";

const headerBytes = 5;

/** Messages up to this size are taken without asking the budget. */
const smallMessageBytes = 64 * 1024;

/** Cuts the bytes of a stream into messages, in whatever pieces they come. */
export class FrameParser {
	readonly #maxBytes: number;
	readonly #budget: ByteBudget;
	#chunks: Uint8Array[] = [];
	#buffered = 0;
	/** Length of the message whose header was read. */
	#length: number | undefined;
	#reserved = 0;

	/** @param budget counts the bytes of unfinished large messages. */
	constructor(maxBytes: number, budget: ByteBudget) {
		this.#maxBytes = maxBytes;
		this.#budget = budget;
	}

	/** True when a message has begun and is not complete. */
	get unfinished(): boolean {
		return this.#buffered > 0 || this.#length !== undefined;
	}

	/**
	 * Takes the next bytes of the stream.
	 *
	 * Fails when: the unfinished message is over the budget; then with a `GrpcError`.
	 */
	push(chunk: Uint8Array): void {
		this.#chunks.push(chunk);
		this.#buffered += chunk.length;
		this.#reserve();
	}

	/**
	 * The next complete message, or undefined until more bytes come.
	 *
	 * Fails when: the message is too large or compressed; then with a `GrpcError`.
	 */
	next(): Uint8Array | undefined {
		if (this.#length === undefined) {
			if (this.#buffered < headerBytes) return undefined;
			this.#length = this.#readHeader();
			this.#reserve();
		}
		if (this.#buffered < this.#length) return undefined;
		const message = this.#take(this.#length);
		this.#length = undefined;
		this.close();
		return message;
	}

	/** Gives back what the budget granted; the parser is not used afterwards, or starts the next message. */
	close(): void {
		this.#budget.release(this.#reserved);
		this.#reserved = 0;
	}

	#readHeader(): number {
		const header = this.#take(headerBytes);
		const view = new DataView(header.buffer, header.byteOffset, headerBytes);
		if (view.getUint8(0) !== 0) {
			throw new GrpcError(
				grpcStatus.unimplemented,
				"Compressed messages are not accepted: turn compression off in the client.",
			);
		}
		const length = view.getUint32(1);
		if (length > this.#maxBytes) {
			throw new GrpcError(
				grpcStatus.resourceExhausted,
				`A request message has ${length} bytes; at most ${this.#maxBytes} are accepted.`,
			);
		}
		return length;
	}

	/** Only bytes that have come are counted, so announcing a large message costs nobody anything. */
	#reserve(): void {
		if (this.#length === undefined || this.#length <= smallMessageBytes) return;
		const wanted = Math.min(this.#buffered, this.#length) - this.#reserved;
		if (wanted <= 0) return;
		if (!this.#budget.take(wanted)) {
			throw new GrpcError(
				grpcStatus.resourceExhausted,
				"Too many large request messages are under way: send them one after another.",
			);
		}
		this.#reserved += wanted;
	}

	/** Removes exactly so many buffered bytes; there are that many. */
	#take(bytes: number): Uint8Array {
		const parts: Uint8Array[] = [];
		let missing = bytes;
		let used = 0;
		while (missing > 0) {
			const chunk = this.#chunks[used];
			if (chunk === undefined)
				throw new Error("Fewer bytes than were counted.");
			if (chunk.length <= missing) {
				parts.push(chunk);
				missing -= chunk.length;
				used += 1;
			} else {
				parts.push(chunk.subarray(0, missing));
				this.#chunks[used] = chunk.subarray(missing);
				missing = 0;
			}
		}
		this.#chunks.splice(0, used);
		this.#buffered -= bytes;
		const [only] = parts;
		return parts.length === 1 && only !== undefined
			? only
			: Buffer.concat(parts, bytes);
	}
}

/** Parts up to this size are copied together: handing each to the socket alone costs more than the copy. */
const copiedPartBytes = 1024;

/**
 * The header and the parts of one message as batches of buffers, each batch of
 * at most `maxBatchBytes`. Large parts are views of the given bytes, not copies.
 */
export function* frameBatches(
	parts: readonly Uint8Array[],
	maxBatchBytes: number,
): Generator<readonly Uint8Array[], void, undefined> {
	let length = 0;
	for (const part of parts) length += part.length;
	const header = Buffer.allocUnsafe(headerBytes);
	header.writeUInt8(0, 0);
	header.writeUInt32BE(length, 1);

	let batch: Uint8Array[] = [];
	let batchBytes = 0;
	let small: Uint8Array[] = [header];
	let smallBytes = headerBytes;
	const joinSmall = (): void => {
		const [only] = small;
		if (only === undefined) return;
		batch.push(small.length === 1 ? only : Buffer.concat(small, smallBytes));
		small = [];
		smallBytes = 0;
	};
	for (const part of parts) {
		for (let start = 0; start < part.length; ) {
			const room = maxBatchBytes - batchBytes - smallBytes;
			if (room <= 0) {
				joinSmall();
				yield batch;
				batch = [];
				batchBytes = 0;
				continue;
			}
			const piece =
				start === 0 && part.length <= room
					? part
					: part.subarray(start, start + room);
			start += piece.length;
			if (piece.length <= copiedPartBytes) {
				small.push(piece);
				smallBytes += piece.length;
			} else {
				const joinedBytes = smallBytes;
				joinSmall();
				batch.push(piece);
				batchBytes += joinedBytes + piece.length;
			}
		}
	}
	joinSmall();
	if (batch.length > 0) yield batch;
}
