import type { Clock } from "../lib/clock.ts";
import { KubeError } from "./kube-error.ts";
import { type Rate, TokenBucket } from "./token-bucket.ts";

/** How much a process writes at most. */
export interface WritePace extends Rate {
	/** Writes under way at a time. */
	readonly concurrency: number;
}

/**
 * One change among a thousand objects is never delayed, a thousand statuses at
 * once take some seconds, and others find the API server free meanwhile: half a
 * dozen requests under way are far below the share that priority and fairness
 * gives to one ServiceAccount by default.
 */
export const defaultWritePace: WritePace = {
	perSecond: 200,
	burst: 200,
	concurrency: 8,
};

/** Longest time that an API server's `Retry-After` holds everything up. */
const maxPauseMs = 30_000;

/** Pause after a server says that it has too much to do, but not for how long. */
const busyPauseMs = 1000;

/**
 * Gives writes their turn: in order, not too many at a time, not too many per
 * second, and none while the API server asks to be left alone.
 */
export class WritePacer {
	readonly #clock: Clock;
	readonly #pace: WritePace;
	readonly #waiting = new Set<() => void>();
	readonly #tokens: TokenBucket;
	#running = 0;
	#pausedUntilMs = Number.NEGATIVE_INFINITY;
	#cancel: (() => void) | undefined;

	constructor(clock: Clock, pace: WritePace = defaultWritePace) {
		this.#clock = clock;
		this.#pace = pace;
		this.#tokens = new TokenBucket(clock, pace);
	}

	/**
	 * Runs `write` when its turn comes. What it answers or throws is passed on; a `KubeError` that asks to
	 * wait makes all others wait, too.
	 *
	 * @param signal gives up the wait, and rejects with its reason; a write that has begun is not touched
	 */
	async run<T>(write: () => Promise<T>, signal?: AbortSignal): Promise<T> {
		await this.#turn(signal);
		try {
			return await write();
		} catch (error) {
			if (error instanceof KubeError) this.#heed(error);
			throw error;
		} finally {
			this.#running -= 1;
			this.#next();
		}
	}

	#turn(signal: AbortSignal | undefined): Promise<void> {
		return new Promise((resolve, reject) => {
			signal?.throwIfAborted();
			const aborted = (): void => {
				this.#waiting.delete(turn);
				reject(signal?.reason);
				this.#next();
			};
			const turn = (): void => {
				signal?.removeEventListener("abort", aborted);
				resolve();
			};
			signal?.addEventListener("abort", aborted, { once: true });
			this.#waiting.add(turn);
			this.#next();
		});
	}

	#heed({ code, retryAfterMs }: KubeError): void {
		if (retryAfterMs === undefined && code !== "KUBE_BUSY") return;
		const pauseMs = Math.min(retryAfterMs ?? busyPauseMs, maxPauseMs);
		this.#pausedUntilMs = Math.max(
			this.#pausedUntilMs,
			this.#clock.monotonicMs() + pauseMs,
		);
	}

	#next(): void {
		const { concurrency } = this.#pace;
		const nowMs = this.#clock.monotonicMs();
		for (const turn of this.#waiting) {
			if (this.#running >= concurrency || nowMs < this.#pausedUntilMs) break;
			if (!this.#tokens.take()) break;
			this.#running += 1;
			this.#waiting.delete(turn);
			turn();
		}
		this.#cancel?.();
		this.#cancel = undefined;
		if (this.#waiting.size === 0 || this.#running >= concurrency) return;
		const dueMs = Math.max(this.#tokens.dueMs, this.#pausedUntilMs - nowMs, 1);
		this.#cancel = this.#clock.after(dueMs, () => {
			this.#cancel = undefined;
			this.#next();
		});
	}
}
