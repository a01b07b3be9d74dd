/*
 * The loop of a controller that looks after one subject:
 *
 *   something changed ─┐
 *   time to look ──────┼─▶ woken ─ leader? ─▶ step ─▶ when to look again
 *   became leader ─────┘     ▲                 │ fails
 *                            └──── backoff ◀───┘
 *
 * However often it is woken during a step, one more step follows, which sees everything.
 */
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Signal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type { MetricsRegistry } from "../observability/metrics.ts";
import { QueueFigures, type QueueParts } from "./queue-figures.ts";

/** Says whether this process may write. */
export interface Leader {
	/** Asked right before each write; true only while nobody else can be leader. */
	isLeader(): boolean;
	/** Changes when leadership comes or goes. */
	readonly state: Signal<boolean>;
}

/** Makes the figures of one controller. */
export type ControllerFigures = (parts: QueueParts) => QueueFigures;

/** Makes the figures of controllers. */
export function controllerFigures(metrics: MetricsRegistry): ControllerFigures {
	return (parts) => new QueueFigures(metrics, parts);
}

/** What a controller works with. */
export interface ControllerParts {
	/** Tells controllers apart in logs and figures. */
	readonly name: string;
	/** A change of one of these wakes it. */
	readonly inputs: readonly Pick<Signal<unknown>, "subscribe">[];
	readonly leader: Leader;
	/**
	 * Looks, and does what is to be done; answers in how many milliseconds to look again though nothing changes,
	 * undefined for never. A throw is tried again.
	 */
	readonly step: (signal: AbortSignal) => Promise<number | undefined>;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly figures: ControllerFigures;
}

/** Wait after a failed step: doubles with each further failure, up to the greatest. Milliseconds. */
const retry = { firstMs: 500, mostMs: 60_000 } as const;

/**
 * Runs steps while this process is leader.
 *
 * Guarantees: one step at a time; a step whose process is no longer leader is aborted; disposing of it waits for the step that runs.
 */
export class Controller implements AsyncDisposable {
	readonly #parts: ControllerParts;
	readonly #figures: QueueFigures;
	readonly #stops: (() => void)[];
	#running: Promise<void> | undefined;
	#abort: AbortController | undefined;
	#cancelTimer: (() => void) | undefined;
	#isWoken = false;
	#isStopped = false;
	#failed = 0;

	/** Starts at once. */
	constructor(parts: ControllerParts) {
		this.#parts = parts;
		this.#figures = parts.figures({
			controller: parts.name,
			depth: () => (this.#isWoken || this.#running !== undefined ? 1 : 0),
			clock: parts.clock,
		});
		this.#stops = [
			...parts.inputs.map((input) => input.subscribe(() => this.#wake())),
			parts.leader.state.subscribe((leads) => {
				if (leads) this.#wake();
				else this.#pause();
			}),
		];
		this.#wake();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#isStopped = true;
		for (const stop of this.#stops.splice(0)) stop();
		this.#pause();
		await this.#running;
	}

	#pause(): void {
		this.#cancelTimer?.();
		this.#cancelTimer = undefined;
		this.#abort?.abort();
		this.#figures.dropped();
		// A later term begins without the failures of this one, and without their wait.
		this.#failed = 0;
	}

	#wake(): void {
		if (this.#isStopped || !this.#parts.leader.isLeader()) return;
		this.#isWoken = true;
		this.#figures.added();
		// What failed waits for its time: a change that comes every second must not undo the backoff.
		if (this.#running !== undefined || this.#failed > 0) return;
		this.#running = this.#run();
	}

	async #run(): Promise<void> {
		while (this.#isWoken && !this.#isStopped) {
			this.#isWoken = false;
			this.#cancelTimer?.();
			this.#cancelTimer = undefined;
			const delayMs = await this.#step();
			if (delayMs !== undefined) this.#lookAgainIn(delayMs);
			if (this.#failed > 0) break;
		}
		this.#running = undefined;
	}

	#lookAgainIn(delayMs: number): void {
		if (this.#isStopped || !this.#parts.leader.isLeader()) return;
		this.#cancelTimer = this.#parts.clock.after(delayMs, () => {
			this.#cancelTimer = undefined;
			if (this.#isStopped || !this.#parts.leader.isLeader()) return;
			this.#isWoken = true;
			this.#running ??= this.#run();
		});
	}

	async #step(): Promise<number | undefined> {
		const { name, step, logger } = this.#parts;
		const abort = new AbortController();
		this.#abort = abort;
		this.#figures.began();
		try {
			const delayMs = await step(abort.signal);
			if (this.#failed > 0) logger.info("A controller works again.", { name });
			this.#failed = 0;
			return delayMs;
		} catch (error) {
			// Whatever it died of, nobody waits for it any more.
			if (abort.signal.aborted) return undefined;
			this.#figures.failed();
			const delayMs = backoffMs(this.#failed, retry.firstMs, retry.mostMs);
			// The first failure often is a conflict with a change that is on its way here.
			const level = this.#failed === 0 ? "debug" : "warn";
			logger[level]("A controller could not do its work; it is tried again.", {
				name,
				error,
				retryMs: delayMs,
			});
			this.#failed += 1;
			return delayMs;
		} finally {
			this.#figures.ended();
			this.#abort = undefined;
		}
	}
}
