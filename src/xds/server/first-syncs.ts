import type { Clock } from "../../lib/clock.ts";

/**
 * Streams that get their first resources at a time. Two keep a machine busy; more
 * cover the time on the wire.
 */
const atOnce = 16;

/** Whoever takes longer is no longer waited for: a proxy that does not answer must hold up nobody. */
const limitMs = 1_000;

/** The turn of one stream. It may be ended any number of times; the time limit and disposing of it end it, too. */
export interface Turn extends Disposable {
	end(): void;
}

/**
 * Gives streams their turn to get their first resources.
 *
 * When a server starts, all proxies come at once. Served all at once, each would
 * have what it needs only at the end, and the server would have begun a thousand
 * things; served in turn, half of them have it after half of the time, and all
 * but the first find that others have accepted the same before.
 */
export class FirstSyncs {
	readonly #clock: Clock;
	#running = 0;
	readonly #waiting = new Set<() => void>();

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	/** Waits for a turn. */
	async begin(): Promise<Turn> {
		if (this.#running < atOnce) this.#running += 1;
		else {
			await new Promise<void>((resolve) => {
				this.#waiting.add(resolve);
			});
		}
		let isOver = false;
		const end = (): void => {
			if (isOver) return;
			isOver = true;
			cancel();
			const [next] = this.#waiting;
			if (next === undefined) this.#running -= 1;
			else {
				this.#waiting.delete(next);
				next();
			}
		};
		const cancel = this.#clock.after(limitMs, end);
		return { end, [Symbol.dispose]: end };
	}
}
