import type { Clock } from "../lib/clock.ts";
import { type Rate, TokenBucket } from "../lib/token-bucket.ts";
import { KubeError } from "./kube-error.ts";

/** How much a process writes at most. */
export interface WritePace extends Rate {
	/** Writes under way at a time. */
	readonly concurrency: number;
	/** How many of them are kept free for urgent writes; none unless it is given. */
	readonly reserved?: number;
}

/** Whether somebody waits for a write at this moment, or it is one of many that are made anyway. */
export type Urgency = "urgent" | "bulk";

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
	reserved: 2,
};

/** Of so many turns one is for what is not urgent, if it waits: urgent writes without end hold up nothing for good. */
const bulkShare = 8;

/** Longest time that an API server's `Retry-After` holds everything up. */
const maxPauseMs = 30_000;

/** Pause after a server says that it has too much to do, but not for how long. */
const busyPauseMs = 1000;

/** The turn of one write: resolves its wait. */
type Turn = () => void;

/**
 * Gives writes their turn: urgent ones first, else in order, not too many at a time, not
 * too many per second, and none while the API server asks to be left alone.
 */
export class WritePacer {
	readonly #clock: Clock;
	readonly #pace: WritePace;
	readonly #waiting: Readonly<Record<Urgency, Set<Turn>>> = {
		urgent: new Set(),
		bulk: new Set(),
	};
	readonly #tokens: TokenBucket;
	#running = 0;
	#runningBulk = 0;
	/** Urgent turns since the last one that was not. */
	#inRow = 0;
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
	async run<T>(
		write: () => Promise<T>,
		signal?: AbortSignal,
		urgency: Urgency = "urgent",
	): Promise<T> {
		await this.#turn(urgency, signal);
		try {
			return await write();
		} catch (error) {
			if (error instanceof KubeError) this.#heed(error);
			throw error;
		} finally {
			this.#running -= 1;
			if (urgency === "bulk") this.#runningBulk -= 1;
			this.#next();
		}
	}

	#turn(urgency: Urgency, signal: AbortSignal | undefined): Promise<void> {
		return new Promise((resolve, reject) => {
			signal?.throwIfAborted();
			const waiting = this.#waiting[urgency];
			const aborted = (): void => {
				waiting.delete(turn);
				reject(signal?.reason);
				this.#next();
			};
			const turn = (): void => {
				signal?.removeEventListener("abort", aborted);
				resolve();
			};
			signal?.addEventListener("abort", aborted, { once: true });
			waiting.add(turn);
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
		const nowMs = this.#clock.monotonicMs();
		let due = this.#due();
		while (due !== undefined && nowMs >= this.#pausedUntilMs) {
			if (!this.#tokens.take()) break;
			this.#begin(due);
			due = this.#due();
		}
		this.#cancel?.();
		this.#cancel = undefined;
		// Whatever ends lets the next one begin.
		if (due === undefined) return;
		const dueMs = Math.max(this.#tokens.dueMs, this.#pausedUntilMs - nowMs, 1);
		this.#cancel = this.#clock.after(dueMs, () => {
			this.#cancel = undefined;
			this.#next();
		});
	}

	/** Which queue has the next turn; undefined when none may begin before another has ended. */
	#due(): Urgency | undefined {
		const { concurrency, reserved = 0 } = this.#pace;
		if (this.#running >= concurrency) return undefined;
		const { urgent, bulk } = this.#waiting;
		const mayBulk =
			bulk.size > 0 && this.#runningBulk < Math.max(1, concurrency - reserved);
		if (urgent.size > 0 && !(mayBulk && this.#inRow + 1 >= bulkShare))
			return "urgent";
		return mayBulk ? "bulk" : undefined;
	}

	#begin(urgency: Urgency): void {
		const [turn] = this.#waiting[urgency];
		if (turn === undefined) return;
		this.#waiting[urgency].delete(turn);
		this.#running += 1;
		if (urgency === "bulk") this.#runningBulk += 1;
		this.#inRow = urgency === "bulk" ? 0 : this.#inRow + 1;
		turn();
	}
}
