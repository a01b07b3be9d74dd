import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as it came over the wire. */
export interface ReceivedSpan {
	readonly traceId: string;
	readonly spanId: string;
	readonly parentSpanId: string | undefined;
	readonly name: string;
	/** Nanoseconds since the epoch. */
	readonly start: bigint;
	readonly end: bigint;
	readonly attributes: Readonly<Record<string, unknown>>;
	/** Of its process. */
	readonly resource: Readonly<Record<string, unknown>>;
	readonly failure: string | undefined;
}

/** An OpenTelemetry collector that takes OTLP/HTTP in JSON, strictly, and keeps it. */
export class OtlpCollector implements AsyncDisposable {
	readonly #server: Server;
	readonly spans: ReceivedSpan[] = [];
	/** Headers of each request. */
	readonly requests: (IncomingHttpHeaders & { readonly path: string })[] = [];
	/** What is wrong with what came; a test expects none. */
	readonly problems: string[] = [];
	/** How it answers; `never` takes the request and says nothing. */
	answer: { readonly status: number; readonly body: string } | "never" = {
		status: 200,
		body: "{}",
	};

	private constructor() {
		this.#server = createServer((request, response) => {
			const chunks: Buffer[] = [];
			request.on("data", (chunk: Buffer) => chunks.push(chunk));
			request.on("end", () => {
				this.requests.push({ ...request.headers, path: request.url ?? "" });
				const { answer } = this;
				if (answer === "never") return;
				if (answer.status === 200) this.#take(Buffer.concat(chunks).toString());
				response.writeHead(answer.status).end(answer.body);
			});
		});
	}

	/** Starts one on a free port. */
	static async start(): Promise<OtlpCollector> {
		const collector = new OtlpCollector();
		await new Promise<void>((resolve) => {
			collector.#server.listen(0, "127.0.0.1", resolve);
		});
		return collector;
	}

	/** Its address, without a path. */
	get url(): string {
		return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
	}

	/** The traces that came whole: each with its root first. */
	get traces(): readonly (readonly ReceivedSpan[])[] {
		return [...Map.groupBy(this.spans, ({ traceId }) => traceId).values()].map(
			(spans) =>
				spans.toSorted(
					(a, b) =>
						Number(a.parentSpanId !== undefined) -
						Number(b.parentSpanId !== undefined),
				),
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#server.closeAllConnections();
		await new Promise((resolve) => this.#server.close(resolve));
	}

	#take(body: string): void {
		try {
			for (const { resource, scopeSpans } of listOf(
				JSON.parse(body),
				"resourceSpans",
			)) {
				for (const { spans } of scopeSpans as readonly Json[])
					for (const span of spans as readonly Json[])
						this.spans.push(parseSpan(span, resource as Json));
			}
		} catch (error) {
			this.problems.push(`${String(error)} in ${body.slice(0, 300)}`);
		}
	}
}

type Json = Readonly<Record<string, unknown>>;

function listOf(value: unknown, name: string): readonly Json[] {
	const list = (value as Json)[name];
	if (!Array.isArray(list)) throw new Error(`${name} is no list`);
	return list as readonly Json[];
}

function parseSpan(span: Json, resource: Json): ReceivedSpan {
	const known = [
		...["traceId", "spanId", "parentSpanId", "name", "kind", "status"],
		...["startTimeUnixNano", "endTimeUnixNano", "attributes"],
	];
	const strange = Object.keys(span).filter((name) => !known.includes(name));
	if (strange.length > 0) throw new Error(`a span has ${strange.join(", ")}`);
	if (span["kind"] !== 1) throw new Error("a span is not internal");
	const status = span["status"] as Json | undefined;
	return {
		traceId: matching(span["traceId"], /^[0-9a-f]{32}$/),
		spanId: matching(span["spanId"], /^[0-9a-f]{16}$/),
		parentSpanId:
			span["parentSpanId"] === undefined
				? undefined
				: matching(span["parentSpanId"], /^[0-9a-f]{16}$/),
		name: matching(span["name"], /./),
		start: BigInt(matching(span["startTimeUnixNano"], /^\d{19}$/)),
		end: BigInt(matching(span["endTimeUnixNano"], /^\d{19}$/)),
		attributes: parseAttributes(listOf(span, "attributes")),
		resource: parseAttributes(listOf(resource, "attributes")),
		failure:
			status === undefined ? undefined : matching(status["message"], /./),
	};
}

function parseAttributes(list: readonly Json[]): Json {
	return Object.fromEntries(
		list.map(({ key, value }) => [
			matching(key, /^[a-z0-9._]+$/),
			parseValue(value as Json),
		]),
	);
}

function parseValue(value: Json): unknown {
	const [[type, content] = [], ...more] = Object.entries(value);
	if (more.length > 0) throw new Error("a value has two types");
	switch (type) {
		case "stringValue":
			return matching(content, /^/);
		case "intValue":
			return Number(matching(content, /^-?\d+$/));
		case "doubleValue":
		case "boolValue":
			return content;
		case "arrayValue":
			return listOf(content, "values").map(parseValue);
		default:
			throw new Error(`a value is a ${type}`);
	}
}

function matching(value: unknown, pattern: RegExp): string {
	if (typeof value === "string" && pattern.test(value)) return value;
	throw new Error(`${JSON.stringify(value)} is not like ${pattern}`);
}
