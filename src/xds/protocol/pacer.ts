/** How many of the last responses count when the cost of one is estimated. */
const remembered = 5;

/** Part of the time that a proxy may spend applying responses: one in this many. */
const restPerWork = 10;

/** Work that a proxy may be given at once when it has rested for long, in milliseconds. */
const burstMs = 200;

/** Longest time between two responses, whatever they cost, in milliseconds. */
const maxPauseMs = 1000;

/**
 * When the next response of one type may go out.
 *
 * A proxy rebuilds a whole route table for each response that touches it: 20 ms
 * at 1,000 virtual hosts, 100 ms at 5,000. A constant stream of changes must not
 * take more than a tenth of a core of it, so each response that took it `t` to
 * apply uses up ten times `t` of rest; what changes until it has rested goes out
 * together. Rest is saved up for two seconds, so a few changes after a quiet time
 * wait for nothing. The smallest of the last few times is taken as `t`: the others
 * were waiting for a busy machine, not working.
 */
export class Pacer {
	#sentAtMs = Number.NEGATIVE_INFINITY;
	#notBeforeMs = Number.NEGATIVE_INFINITY;
	readonly #costsMs: number[] = [];

	/** A response was handed over for writing. */
	sent(nowMs: number): void {
		this.#sentAtMs = nowMs;
	}

	/** The last response was acknowledged or rejected: in both cases it was worked on. */
	answered(nowMs: number): void {
		this.#costsMs.push(Math.max(0, nowMs - this.#sentAtMs));
		if (this.#costsMs.length > remembered) this.#costsMs.shift();
		const costMs = Math.min(...this.#costsMs);
		// Rest that was not needed is saved up; rest that is owed is not, beyond one pause.
		const rested = Math.max(
			this.#notBeforeMs,
			this.#sentAtMs - restPerWork * burstMs,
		);
		this.#notBeforeMs = Math.min(
			rested + restPerWork * costMs,
			this.#sentAtMs + maxPauseMs,
		);
	}

	/** The time before which the next response waits; in the past when it need not. */
	get notBeforeMs(): number {
		return this.#notBeforeMs;
	}
}
