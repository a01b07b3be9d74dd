/** Bytes that several holders may have in memory together; a part may belong to a whole. */
export class ByteBudget {
	readonly #limit: number;
	readonly #whole: ByteBudget | undefined;
	#taken = 0;

	constructor(limit: number, whole?: ByteBudget) {
		this.#limit = limit;
		this.#whole = whole;
	}

	/** Bytes that are taken now. */
	get taken(): number {
		return this.#taken;
	}

	/** Takes the bytes, or nothing and answers false when that is over the limit here or of the whole. */
	take(bytes: number): boolean {
		if (this.#taken + bytes > this.#limit) return false;
		if (this.#whole !== undefined && !this.#whole.take(bytes)) return false;
		this.#taken += bytes;
		return true;
	}

	/** Gives back what was taken. */
	release(bytes: number): void {
		this.#taken -= bytes;
		this.#whole?.release(bytes);
	}
}
