import type { Clock } from "../lib/clock.ts";
import type { HoldOff } from "./hold-off.ts";

/** One call for all that changes within a short time: after it has been quiet, but not too late for the first change. */
export class HeldOffCall {
	readonly #clock: Clock;
	readonly #holdOff: HoldOff;
	readonly #call: () => void;
	#waiting:
		| { readonly firstMs: number; readonly cancel: () => void }
		| undefined;

	constructor(clock: Clock, holdOff: HoldOff, call: () => void) {
		this.#clock = clock;
		this.#holdOff = holdOff;
		this.#call = call;
	}

	/** Something has changed: has the call made. */
	ask(): void {
		const { quietMs, maxMs } = this.#holdOff;
		const nowMs = this.#clock.monotonicMs();
		const firstMs = this.#waiting?.firstMs ?? nowMs;
		const atMs = Math.min(nowMs + quietMs, firstMs + maxMs);
		this.#waiting?.cancel();
		this.#waiting = {
			firstMs,
			cancel: this.#clock.after(Math.max(0, atMs - nowMs), () => {
				this.#waiting = undefined;
				this.#call();
			}),
		};
	}

	/** Takes back what was asked for and has not been called yet. */
	cancel(): void {
		this.#waiting?.cancel();
		this.#waiting = undefined;
	}
}
