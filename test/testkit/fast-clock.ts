import type { Clock } from "../../src/lib/clock.ts";

/** Time that passes many times as fast as the machine's, so that what waits for seconds can be seen in milliseconds. */
export class FastClock implements Clock {
	readonly #factor: number;
	#aheadMs = 0;

	constructor(factor: number) {
		this.#factor = factor;
	}

	nowMs(): number {
		return Math.round(
			Date.UTC(2026, 0, 1) + this.monotonicMs() + this.#aheadMs,
		);
	}

	monotonicMs(): number {
		return performance.now() * this.#factor;
	}

	after(delayMs: number, callback: () => void): () => void {
		const timer = setTimeout(callback, delayMs / this.#factor);
		return () => clearTimeout(timer);
	}

	/** Sets the machine's clock; timers do not care. */
	jump(ms: number): void {
		this.#aheadMs += ms;
	}
}
