/*
 * Spans as JSON for OTLP/HTTP:
 * https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
 * Ids are in hex there, 64-bit numbers are texts, and enums are numbers.
 */
import type { Attributes, AttributeValue, Span } from "./span.ts";

/** Who made the spans. */
export interface SpanOrigin {
	/** The process: `service.name` and more. */
	readonly resource: Attributes;
	/** Of this program. */
	readonly version: string;
}

/** `SPAN_KIND_INTERNAL` */
const internalKind = 1;
/** `STATUS_CODE_ERROR` */
const errorStatus = 2;

/** The body of one request with spans of one process. */
export function printOtlp(spans: readonly Span[], origin: SpanOrigin): string {
	return JSON.stringify({
		resourceSpans: [
			{
				resource: { attributes: printAttributes(origin.resource) },
				scopeSpans: [
					{
						scope: { name: "lateen", version: origin.version },
						spans: spans.map(printSpan),
					},
				],
			},
		],
	});
}

function printSpan(span: Span): unknown {
	return {
		traceId: span.traceId,
		spanId: span.spanId,
		...(span.parentId !== undefined && { parentSpanId: span.parentId }),
		name: span.name,
		kind: internalKind,
		startTimeUnixNano: printNanoseconds(span.startMs),
		endTimeUnixNano: printNanoseconds(span.endMs),
		attributes: printAttributes(span.attributes),
		...(span.failure !== undefined && {
			status: { code: errorStatus, message: span.failure },
		}),
	};
}

/** Printed in two parts: nanoseconds since the epoch have more digits than a number keeps. */
function printNanoseconds(ms: number): string {
	const whole = Math.floor(ms);
	const rest = Math.min(999_999, Math.round((ms - whole) * 1e6));
	return `${whole}${String(rest).padStart(6, "0")}`;
}

function printAttributes(attributes: Attributes): readonly unknown[] {
	return Object.entries(attributes).map(([key, value]) => ({
		key,
		value: printValue(value),
	}));
}

function printValue(value: AttributeValue): unknown {
	switch (typeof value) {
		case "string":
			return { stringValue: value };
		case "boolean":
			return { boolValue: value };
		case "number":
			return Number.isSafeInteger(value)
				? { intValue: String(value) }
				: { doubleValue: value };
		default:
			return {
				arrayValue: { values: value.map((stringValue) => ({ stringValue })) },
			};
	}
}
