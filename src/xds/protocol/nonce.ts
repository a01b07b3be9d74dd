/** Makes the nonces of one stream: short, and never the same twice. See xDS protocol, "ACK/NACK and resource type instance version". */
export class NonceSequence {
	#last = 0;

	/** A nonce that this sequence has not made before. */
	next(): string {
		this.#last += 1;
		return this.#last.toString(36);
	}
}
