import type { Clock } from "../../lib/clock.ts";

/**
 * Lets one waiter sleep until it is woken or a time has come. Being woken several
 * times while awake counts once, so any number of changes makes one round.
 */
export class Wakeup {
	readonly #clock: Clock;
	#woken = false;
	#resolve: (() => void) | undefined;
	#cancelTimer: (() => void) | undefined;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Ends the sleep, or the next one when nobody sleeps. */
	wake(): void {
		this.#woken = true;
		const resolve = this.#resolve;
		this.#resolve = undefined;
		resolve?.();
	}

	/**
	 * Waits until woken.
	 *
	 * @param atMs monotonic time at which it ends anyway; undefined for never
	 */
	async sleep(atMs: number | undefined): Promise<void> {
		if (!this.#woken) {
			if (atMs !== undefined) {
				const delayMs = Math.max(0, atMs - this.#clock.monotonicMs());
				// Timers fire on whole milliseconds: a little early would mean one round too many.
				this.#cancelTimer = this.#clock.after(Math.ceil(delayMs), () =>
					this.wake(),
				);
			}
			await new Promise<void>((resolve) => {
				this.#resolve = resolve;
			});
		}
		this.#woken = false;
		this.close();
	}

	/** Cancels a timer that runs. */
	close(): void {
		this.#cancelTimer?.();
		this.#cancelTimer = undefined;
	}
}
