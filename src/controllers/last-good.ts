/*
 * What is to be kept about objects, written behind everything else's back:
 *
 *   put, forget ─ keys ─▶ short wait ─▶ one write at a time ─▶ store
 *                            ▲                │ fails
 *                            └──── later ─────┘
 *
 * Only the newest entry of an object waits, so a full disk costs no memory.
 */
import type { ObjectRef } from "../api/object-ref.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../observability/logger.ts";
import type {
	Counter,
	Gauge,
	MetricsRegistry,
} from "../observability/metrics.ts";
import type { LastGood, LastGoodStore } from "../store/last-good.ts";
import { refKey } from "../store/ref-key.ts";

/** Wait before the first write, in which more changes of the same object come together. Milliseconds. */
const gatherMs = 200;

/** Wait after a failed write; doubles up to 32 times as long. Milliseconds. */
const retryMs = 1000;

/** Longest time that a stop waits for what is not written yet. Milliseconds. */
const stopMs = 1500;

/** What the keeper works with. */
export interface LastGoodKeeperParts {
	readonly store: LastGoodStore;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/**
 * Keeps last good forms up to date in a store that may be slow or broken.
 *
 * Guarantees: callers never wait and never fail; what could not be written is
 *   tried again with what is true then; disposing of it writes the rest once,
 *   what proxies refuse first, and gives up what takes longer than 1.5 s.
 */
export class LastGoodKeeper implements AsyncDisposable {
	readonly #parts: LastGoodKeeperParts;
	readonly #waiting = new Map<
		string,
		{ readonly ref: ObjectRef; readonly entry: LastGood | undefined }
	>();
	readonly #unwritten: Gauge;
	readonly #failures: Counter;
	#cancel: (() => void) | undefined;
	#writing: Promise<void> | undefined;
	#failed = 0;
	#stopped = false;
	#hasGivenUp = false;

	constructor(parts: LastGoodKeeperParts) {
		this.#parts = parts;
		this.#unwritten = parts.metrics.gauge(
			"lateen_last_good_unwritten",
			"Objects whose last good form is not on disk yet; stays above 0 while it cannot be written.",
		);
		this.#failures = parts.metrics.counter(
			"lateen_last_good_write_failures_total",
			"Writes of last good forms that failed and are tried again.",
		);
	}

	/** Keeps this about an object from now on. */
	put(entry: LastGood): void {
		this.#note(entry.ref, entry);
	}

	/** The object is gone. */
	forget(ref: ObjectRef): void {
		this.#note(ref, undefined);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#stopped) return;
		this.#stopped = true;
		this.#cancel?.();
		const { clock, logger } = this.#parts;
		const rest = async (): Promise<void> => {
			await this.#writing;
			if (!this.#hasGivenUp) await this.#write();
		};
		await new Promise<void>((resolve, reject) => {
			const cancel = clock.after(stopMs, () => {
				this.#hasGivenUp = true;
				logger.info(
					"Some last good forms of objects were not written before the stop. Whoever serves them next makes them anew.",
					{ objects: this.#waiting.size },
				);
				resolve();
			});
			rest().finally(cancel).then(resolve, reject);
		});
	}

	#note(ref: ObjectRef, entry: LastGood | undefined): void {
		this.#waiting.set(refKey(ref), { ref, entry });
		this.#unwritten.set(this.#waiting.size);
		this.#schedule(gatherMs);
	}

	#schedule(delayMs: number): void {
		if (this.#stopped || this.#cancel !== undefined) return;
		if (this.#writing !== undefined) return;
		this.#cancel = this.#parts.clock.after(delayMs, () => {
			this.#cancel = undefined;
			this.#writing = this.#write().then(() => {
				this.#writing = undefined;
				if (this.#waiting.size === 0) return;
				this.#schedule(
					this.#failed === 0 ? gatherMs : backoffMs(this.#failed, retryMs),
				);
			});
		});
	}

	/** Writes what waits, until a write fails. */
	async #write(): Promise<void> {
		const { store, logger } = this.#parts;
		for (const [key, one] of this.#inOrder()) {
			if (this.#hasGivenUp) return;
			try {
				if (one.entry === undefined) await store.remove(one.ref);
				else await store.write(one.entry);
			} catch (error) {
				if (this.#hasGivenUp) return;
				this.#failures.add();
				if (this.#failed === 0)
					logger.warn(
						"Last good forms of objects cannot be written. What proxies have is not touched by that, and it is tried again; but a restart would not know them.",
						{ error, objects: this.#waiting.size },
					);
				this.#failed += 1;
				return;
			}
			// Something newer may have come meanwhile.
			if (this.#waiting.get(key) === one) this.#waiting.delete(key);
			this.#unwritten.set(this.#waiting.size);
		}
		if (this.#failed > 0)
			logger.info("Last good forms of objects can be written again.");
		this.#failed = 0;
	}

	/** What would be missed most first: nobody can find out again what an object was before proxies refused it. */
	#inOrder() {
		const waiting = [...this.#waiting];
		const isRefused = ([, { entry }]: (typeof waiting)[number]): boolean =>
			entry !== undefined && entry.refusals.length > 0;
		return [
			...waiting.filter(isRefused),
			...waiting.filter((one) => !isRefused(one)),
		];
	}
}
