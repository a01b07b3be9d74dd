import type { ObjectStatus } from "../api/status.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../observability/logger.ts";
import type { Counter, MetricsRegistry } from "../observability/metrics.ts";
import type { StatusWriter } from "../store/object-writer.ts";

/** What the outbox works with. */
export interface StatusOutboxParts {
	readonly statuses: StatusWriter;
	/** Wait after a failed write. Milliseconds. */
	readonly retryMs: number;
	/** Whether nothing newer has been decided about the object since, and it still exists. */
	readonly isNewest: (key: string, status: ObjectStatus) => boolean;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/**
 * Statuses that are decided and not written yet, by `refKey`.
 *
 * Guarantees: no status waits for the write of others; a failed write is tried again, later and
 *   later, with what is the newest then.
 */
export class StatusOutbox implements Disposable {
	readonly #parts: StatusOutboxParts;
	readonly #writes: Counter;
	readonly #failures: Counter;
	readonly #unwritten = new Map<string, ObjectStatus>();
	#cancelRetry: (() => void) | undefined;
	#failed = 0;
	#isStopped = false;

	constructor(parts: StatusOutboxParts) {
		this.#parts = parts;
		this.#writes = parts.metrics.counter(
			"lateen_status_writes_total",
			"Statuses written.",
		);
		this.#failures = parts.metrics.counter(
			"lateen_status_write_failures_total",
			"Writes of statuses that failed and are tried again.",
		);
	}

	[Symbol.dispose](): void {
		this.#isStopped = true;
		this.#cancelRetry?.();
	}

	/** Writes this about an object with the next `write`, instead of what was decided before. */
	put(key: string, status: ObjectStatus): void {
		this.#unwritten.set(key, status);
	}

	/** The object is gone. */
	forget(key: string): void {
		this.#unwritten.delete(key);
	}

	/** Writes all that waits, unless a failed write has to wait first. */
	write(): void {
		if (this.#cancelRetry !== undefined || this.#unwritten.size === 0) return;
		const batch = new Map(this.#unwritten);
		this.#unwritten.clear();
		this.#parts.statuses.write([...batch.values()]).then(
			() => this.#wrote(batch.size),
			(error: unknown) => this.#couldNotWrite(batch, error),
		);
	}

	#wrote(count: number): void {
		this.#writes.add(count);
		if (this.#failed > 0)
			this.#parts.logger.info("Statuses can be written again.");
		this.#failed = 0;
	}

	#couldNotWrite(
		batch: ReadonlyMap<string, ObjectStatus>,
		error: unknown,
	): void {
		const { retryMs, isNewest, clock, logger } = this.#parts;
		this.#failures.add();
		if (this.#failed === 0)
			logger.warn(
				"Statuses cannot be written; what is in force is not touched by that, and it is tried again.",
				{ error, statuses: batch.size },
			);
		const waitMs = backoffMs(this.#failed, retryMs);
		this.#failed += 1;
		for (const [key, status] of batch)
			if (isNewest(key, status)) this.#unwritten.set(key, status);
		if (this.#isStopped || this.#cancelRetry !== undefined) return;
		this.#cancelRetry = clock.after(waitMs, () => {
			this.#cancelRetry = undefined;
			this.write();
		});
	}
}
