/** A value that describes a span. */
export type AttributeValue = string | number | boolean | readonly string[];

/** What describes a span, by name. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** A stretch of time in which one thing was done, as part of a trace. */
export interface Span {
	/** 16 bytes in hex; equal for all spans of a trace. */
	readonly traceId: string;
	/** 8 bytes in hex. */
	readonly spanId: string;
	/** The span that this is part of; absent for the one that is the whole. */
	readonly parentId?: string;
	readonly name: string;
	/** Milliseconds since the Unix epoch, with fractions. */
	readonly startMs: number;
	/** Milliseconds since the Unix epoch, with fractions. */
	readonly endMs: number;
	readonly attributes: Attributes;
	/** Why it did not end as it should have; absent when it did. */
	readonly failure?: string;
}

/** Where finished spans go. */
export interface SpanSink {
	/** Whether one more trace is wanted now; asked when one begins, so that nothing is put together in vain. */
	wantsTrace(): boolean;
	/** Takes the spans of one trace; never blocks and never fails. */
	add(spans: readonly Span[]): void;
}
