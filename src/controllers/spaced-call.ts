import type { Clock } from "../lib/clock.ts";

/** A call that is made soon after it is asked for, but never twice within a time: at once after a quiet one. */
export class SpacedCall {
	readonly #clock: Clock;
	readonly #spacingMs: number;
	readonly #call: () => void;
	#cancel: (() => void) | undefined;
	#calledMs = Number.NEGATIVE_INFINITY;

	constructor(clock: Clock, spacingMs: number, call: () => void) {
		this.#clock = clock;
		this.#spacingMs = spacingMs;
		this.#call = call;
	}

	/** Has the call made; when it is to be made already, this changes nothing. */
	ask(): void {
		if (this.#cancel !== undefined) return;
		const dueMs = this.#calledMs + this.#spacingMs - this.#clock.monotonicMs();
		this.#cancel = this.#clock.after(Math.max(0, dueMs), () => {
			this.#cancel = undefined;
			this.#calledMs = this.#clock.monotonicMs();
			this.#call();
		});
	}

	/** Takes back what was asked for and has not been called yet. */
	cancel(): void {
		this.#cancel?.();
		this.#cancel = undefined;
	}
}
