/*
 * Finished spans, to a collector:
 *
 *   add ─▶ queue (bounded) ─ every few seconds, or when many ─▶ one request ─▶ collector
 *             │ full: dropped and counted          ▲                │ later
 *                                                  └─── backoff ◀───┘
 *
 * A collector that is slow, dead or full costs the queue's memory and nothing else.
 */
import { backoffMs } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import { TokenBucket } from "../../lib/token-bucket.ts";
import type { Logger } from "../logger.ts";
import type { Counter, MetricsRegistry } from "../metrics.ts";
import { printOtlp, type SpanOrigin } from "./print-otlp.ts";
import type { Span, SpanSink } from "./span.ts";

/** The status and the body of an answer. */
export interface ExportAnswer {
	readonly status: number;
	readonly body: string;
}

/** What an exporter works with. */
export interface SpanExporterParts {
	/** Sends one request; rejects when no answer comes. */
	readonly post: (body: string, signal: AbortSignal) => Promise<ExportAnswer>;
	readonly origin: SpanOrigin;
	/** Traces that may begin within a minute; as many may begin at once after a quiet minute. */
	readonly tracesPerMinute: number;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
	/** Instead of the defaults. */
	readonly limits?: Partial<ExportLimits>;
}

/** How much waits, and how long. */
export interface ExportLimits {
	/** Spans that wait: 2,048 of half a kilobyte are 1 MB. */
	readonly maxWaiting: number;
	/** Spans in one request. */
	readonly maxBatch: number;
	/** Time between the first span that waits and its request. Milliseconds. */
	readonly delayMs: number;
	/** Wait after the first failure; doubles up to 32 times as long. Milliseconds. */
	readonly retryMs: number;
	/** For the last request, when the process ends. Milliseconds. */
	readonly lastMs: number;
}

/** The limits that OpenTelemetry gives for batches. */
const defaultLimits: ExportLimits = {
	maxWaiting: 2048,
	maxBatch: 512,
	delayMs: 5000,
	retryMs: 1000,
	lastMs: 1000,
};

/** Statuses after which the same request may succeed later. */
const passing: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * Sends spans to a collector in batches.
 *
 * Guarantees: memory is bounded; what cannot be sent is dropped and counted; disposing of it takes one last request at most.
 */
export class SpanExporter implements SpanSink, AsyncDisposable {
	readonly #parts: SpanExporterParts;
	readonly #limits: ExportLimits;
	readonly #rate: TokenBucket;
	readonly #exported: Counter;
	readonly #dropped: Counter<"reason">;
	readonly #failures: Counter;
	readonly #stopping = new AbortController();
	#waiting: Span[] = [];
	#cancelTimer: (() => void) | undefined;
	#sending: Promise<void> | undefined;
	#failed = 0;

	constructor(parts: SpanExporterParts) {
		const { metrics, clock, tracesPerMinute } = parts;
		this.#parts = parts;
		this.#limits = { ...defaultLimits, ...parts.limits };
		this.#rate = new TokenBucket(clock, {
			perSecond: tracesPerMinute / 60,
			burst: tracesPerMinute,
		});
		this.#exported = metrics.counter(
			"lateen_trace_spans_exported_total",
			"Spans that the collector has taken.",
		);
		this.#dropped = metrics.counter(
			"lateen_trace_spans_dropped_total",
			"Spans that were not exported, by reason: full (too many waited), refused (by the collector) or stopped (the process ended).",
			["reason"],
		);
		for (const reason of ["full", "refused", "stopped"])
			this.#dropped.add(0, { reason });
		this.#failures = metrics.counter(
			"lateen_trace_export_failures_total",
			"Requests to the collector that failed and are tried again.",
		);
	}

	wantsTrace(): boolean {
		return !this.#stopping.signal.aborted && this.#rate.take();
	}

	add(spans: readonly Span[]): void {
		const { maxWaiting, maxBatch, delayMs } = this.#limits;
		if (this.#stopping.signal.aborted) {
			this.#drop(spans.length, "stopped");
			return;
		}
		// Part of a trace would tell less than none.
		if (this.#waiting.length + spans.length > maxWaiting) {
			this.#drop(spans.length, "full");
			return;
		}
		this.#waiting.push(...spans);
		if (this.#failed > 0 || this.#sending !== undefined) return;
		this.#plan(this.#waiting.length >= maxBatch ? 0 : delayMs);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		const { clock } = this.#parts;
		this.#cancelTimer?.();
		const late = new AbortController();
		const cancel = clock.after(this.#limits.lastMs, () => {
			this.#stopping.abort();
			late.abort();
		});
		await this.#sending;
		this.#stopping.abort();
		// What is on its way was given up, or failed: once is enough when nobody answers.
		if (this.#failed === 0 && !late.signal.aborted)
			await this.#send(late.signal);
		cancel();
		this.#cancelTimer?.();
		this.#drop(this.#waiting.length, "stopped");
		this.#waiting = [];
	}

	/** Sends in so many milliseconds, or when it was to be sent anyway. */
	#plan(delayMs: number): void {
		if (delayMs > 0 && this.#cancelTimer !== undefined) return;
		this.#cancelTimer?.();
		this.#cancelTimer = this.#parts.clock.after(delayMs, () => {
			this.#cancelTimer = undefined;
			this.#sending = this.#send(this.#stopping.signal).finally(() => {
				this.#sending = undefined;
				if (this.#stopping.signal.aborted || this.#waiting.length === 0) return;
				const { retryMs, delayMs: usualMs, maxBatch } = this.#limits;
				if (this.#failed > 0) this.#plan(backoffMs(this.#failed - 1, retryMs));
				else this.#plan(this.#waiting.length >= maxBatch ? 0 : usualMs);
			});
		});
	}

	/** One request with the oldest of what waits; never throws. */
	async #send(signal: AbortSignal): Promise<void> {
		const { post, origin, logger } = this.#parts;
		const batch = this.#waiting.slice(0, this.#limits.maxBatch);
		if (batch.length === 0) return;
		try {
			const { status, body } = await post(printOtlp(batch, origin), signal);
			if (passing.has(status)) throw new Error(`It answered ${status}.`);
			this.#waiting.splice(0, batch.length);
			if (this.#failed > 0) logger.info("Traces can be sent again.");
			this.#failed = 0;
			const refused =
				status >= 200 && status < 300 ? rejectedSpans(body) : batch.length;
			this.#exported.add(Math.max(0, batch.length - refused));
			if (refused === 0) return;
			this.#drop(refused, "refused");
			logger.warn("The collector refuses traces; they are dropped.", {
				status,
				spans: refused,
			});
		} catch (error) {
			if (signal.aborted) return;
			this.#failures.add();
			// The rest of a bad time is only counted.
			if (this.#failed === 0)
				logger.warn(
					"Traces cannot be sent to the collector; it is tried again, and what does not fit into the queue meanwhile is dropped.",
					{ error },
				);
			this.#failed += 1;
		}
	}

	#drop(spans: number, reason: "full" | "refused" | "stopped"): void {
		this.#dropped.add(spans, { reason });
	}
}

/** How many spans the collector did not take, as its answer says. */
function rejectedSpans(body: string): number {
	try {
		const answer: unknown = JSON.parse(body);
		if (typeof answer !== "object" || answer === null) return 0;
		const partial = "partialSuccess" in answer ? answer.partialSuccess : null;
		if (typeof partial !== "object" || partial === null) return 0;
		const count =
			"rejectedSpans" in partial ? Number(partial.rejectedSpans) : 0;
		return Number.isSafeInteger(count) ? count : 0;
	} catch {
		// Many collectors answer with nothing, which means all is well.
		return 0;
	}
}
