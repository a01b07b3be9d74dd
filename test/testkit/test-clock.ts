import type { Clock } from "../../src/lib/clock.ts";

/** Time that passes when the test says so. */
export class TestClock implements Clock {
	#monotonicMs = 1000;
	#nowMs: number;
	readonly #timers = new Set<{ atMs: number; callback: () => void }>();

	constructor(nowMs = Date.UTC(2026, 0, 1)) {
		this.#nowMs = nowMs;
	}

	nowMs(): number {
		return this.#nowMs;
	}

	monotonicMs(): number {
		return this.#monotonicMs;
	}

	after(delayMs: number, callback: () => void): () => void {
		const timer = { atMs: this.#monotonicMs + delayMs, callback };
		this.#timers.add(timer);
		return () => this.#timers.delete(timer);
	}

	/** How many timers wait. */
	get waiting(): number {
		return this.#timers.size;
	}

	/** Lets time pass and calls what is due, in order. */
	pass(ms: number): void {
		const untilMs = this.#monotonicMs + ms;
		for (;;) {
			const next = [...this.#timers]
				.filter(({ atMs }) => atMs <= untilMs)
				.sort((a, b) => a.atMs - b.atMs)[0];
			if (next === undefined) break;
			this.#timers.delete(next);
			this.#move(next.atMs);
			next.callback();
		}
		this.#move(untilMs);
	}

	/** Sets the machine's clock; timers do not care. */
	jump(ms: number): void {
		this.#nowMs += ms;
	}

	#move(toMs: number): void {
		this.#nowMs += toMs - this.#monotonicMs;
		this.#monotonicMs = toMs;
	}
}
