import type { Clock } from "./clock.ts";

/** How much of something may happen. */
export interface Rate {
	/** In the long run. */
	readonly perSecond: number;
	/** At once after a quiet time. */
	readonly burst: number;
}

/** Counts what may happen: full at first, filled again as time passes. */
export class TokenBucket {
	readonly #clock: Clock;
	readonly #rate: Rate;
	#tokens: number;
	#countedMs: number;

	constructor(clock: Clock, rate: Rate) {
		this.#clock = clock;
		this.#rate = rate;
		this.#tokens = rate.burst;
		this.#countedMs = clock.monotonicMs();
	}

	/** Takes one, if there is one. */
	take(): boolean {
		this.#fill();
		if (this.#tokens < 1) return false;
		this.#tokens -= 1;
		return true;
	}

	/** Milliseconds until there is one. */
	get dueMs(): number {
		this.#fill();
		return Math.max(0, ((1 - this.#tokens) / this.#rate.perSecond) * 1000);
	}

	#fill(): void {
		const nowMs = this.#clock.monotonicMs();
		const filled = ((nowMs - this.#countedMs) / 1000) * this.#rate.perSecond;
		this.#tokens = Math.min(this.#rate.burst, this.#tokens + filled);
		this.#countedMs = nowMs;
	}
}
