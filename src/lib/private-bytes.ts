import { timingSafeEqual } from "node:crypto";
import { inspect } from "node:util";

const shown = "[private]";

/**
 * Bytes that must not get into a log, a message or a file by accident: printed,
 * inspected or made JSON of, they read `[private]`.
 */
export class PrivateBytes {
	readonly #bytes: Buffer;

	/** @param content text is taken as UTF-8 */
	constructor(content: string | Uint8Array) {
		this.#bytes = Buffer.from(content);
	}

	/** The bytes themselves, as a copy; for whoever signs with them or sends them to where they belong. */
	reveal(): Buffer {
		return Buffer.from(this.#bytes);
	}

	/** Whether both hold the same, in a time that tells nothing but the length. */
	equals(other: PrivateBytes): boolean {
		return (
			this.#bytes.length === other.#bytes.length &&
			timingSafeEqual(this.#bytes, other.#bytes)
		);
	}

	toString(): string {
		return shown;
	}

	toJSON(): string {
		return shown;
	}

	[inspect.custom](): string {
		return shown;
	}
}
