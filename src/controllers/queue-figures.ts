import type { Clock } from "../lib/clock.ts";
import {
	type Counter,
	type Histogram,
	type Labels,
	type MetricsRegistry,
	secondsBuckets,
	slowSecondsBuckets,
} from "../observability/metrics.ts";

/** Whose queue it is, and how long it is. */
export interface QueueParts {
	/** A word that tells controllers apart. */
	readonly controller: string;
	/** How much waits or is worked on; asked when somebody looks at the figures. */
	readonly depth: () => number;
	readonly clock: Clock;
}

/**
 * Measures the queue of one controller: how long it is, how long what is in it
 * has waited, how long work takes and how much is tried again. All controllers
 * share the figures, which have the label `controller`.
 *
 * Costs nothing per key but a count; the clock is read once for all that waits.
 */
export class QueueFigures {
	readonly #labels: Labels<"controller">;
	readonly #clock: Clock;
	readonly #retries: Counter<"controller">;
	readonly #wait: Histogram<"controller">;
	readonly #work: Histogram<"controller">;
	#added = 0;
	/** When the first of what waits came; monotonic. */
	#waitsSinceMs: number | undefined;
	/** When the work that is under way began; monotonic. */
	#worksSinceMs: number | undefined;

	constructor(metrics: MetricsRegistry, parts: QueueParts) {
		const { controller, depth, clock } = parts;
		const labels = { controller };
		this.#labels = labels;
		this.#clock = clock;
		const lengths = metrics.gauge(
			"lateen_controller_queue_depth",
			"Keys that wait for a controller or that it works on.",
			["controller"],
		);
		const oldest = metrics.gauge(
			"lateen_controller_oldest_seconds",
			"How long the oldest key of a controller has waited, or work on it has taken so far; 0 when there is none.",
			["controller"],
		);
		const adds = metrics.counter(
			"lateen_controller_adds_total",
			"Keys that were given to a controller; equal ones that wait are counted, too.",
			["controller"],
		);
		this.#retries = metrics.counter(
			"lateen_controller_retries_total",
			"Work of a controller that failed and is tried again.",
			["controller"],
		);
		this.#wait = metrics.histogram(
			"lateen_controller_wait_seconds",
			"Time from the first key that waits for a controller until work on all that wait begins; holding off is part of it.",
			slowSecondsBuckets,
			["controller"],
		);
		this.#work = metrics.histogram(
			"lateen_controller_work_seconds",
			"Time of one turn of a controller: of all keys that waited.",
			secondsBuckets,
			["controller"],
		);
		this.#retries.add(0, labels);
		metrics.beforePrint(() => {
			adds.add(this.#added, labels);
			this.#added = 0;
			lengths.set(depth(), labels);
			const sinceMs = this.#worksSinceMs ?? this.#waitsSinceMs;
			const ageMs = sinceMs === undefined ? 0 : clock.monotonicMs() - sinceMs;
			oldest.set(ageMs / 1000, labels);
		});
	}

	/** A key was given to it. */
	added(): void {
		this.#added += 1;
		this.#waitsSinceMs ??= this.#clock.monotonicMs();
	}

	/** Work on all that waits begins. */
	began(): void {
		const nowMs = this.#clock.monotonicMs();
		if (this.#waitsSinceMs !== undefined)
			this.#wait.observe((nowMs - this.#waitsSinceMs) / 1000, this.#labels);
		this.#waitsSinceMs = undefined;
		this.#worksSinceMs = nowMs;
	}

	/** Work has ended, well or not. */
	ended(): void {
		if (this.#worksSinceMs === undefined) return;
		const tookMs = this.#clock.monotonicMs() - this.#worksSinceMs;
		this.#worksSinceMs = undefined;
		this.#work.observe(tookMs / 1000, this.#labels);
	}

	/** Nothing waits any more: somebody else does the work. */
	dropped(): void {
		this.#waitsSinceMs = undefined;
		this.#worksSinceMs = undefined;
	}

	/** Something failed and is tried again. */
	failed(): void {
		this.#retries.add(1, this.#labels);
	}
}
