import { expect } from "chai";
import fc from "fast-check";
import { OtlpCollector } from "../../../test/testkit/otlp-collector.ts";
import { TestClock } from "../../../test/testkit/test-clock.ts";
import { silentLogger } from "../logger.ts";
import { MetricsRegistry } from "../metrics.ts";
import { printOtlp } from "./print-otlp.ts";
import type { Attributes, Span } from "./span.ts";
import {
	type ExportAnswer,
	type ExportLimits,
	SpanExporter,
} from "./span-exporter.ts";

function span(index: number, attributes: Attributes = {}): Span {
	return {
		traceId: "0af7651916cd43dd8448eb211c80319c",
		spanId: index.toString(16).padStart(16, "0"),
		name: "change",
		startMs: 1_767_225_600_000.25 + index,
		endMs: 1_767_225_600_001.5 + index,
		attributes,
	};
}

const origin = { resource: { "service.name": "lateen" }, version: "1.2.3" };

/** An exporter whose requests are answered by the test. */
function bench(limits: Partial<ExportLimits> = {}) {
	const clock = new TestClock();
	const metrics = new MetricsRegistry();
	const posts: { readonly body: string; readonly signal: AbortSignal }[] = [];
	let answer: () => Promise<ExportAnswer> = () =>
		Promise.resolve({ status: 200, body: "" });
	const exporter = new SpanExporter({
		post: (body, signal) => {
			posts.push({ body, signal });
			return answer();
		},
		origin,
		tracesPerMinute: 3,
		clock,
		logger: silentLogger,
		metrics,
		limits,
	});
	return {
		clock,
		exporter,
		posts,
		answerWith: (now: typeof answer) => {
			answer = now;
		},
		figure: (name: string) =>
			Number(
				new RegExp(`^lateen_trace_${name} (\\d+)$`, "m").exec(
					metrics.print(),
				)?.[1],
			),
		/** Lets promises that are due settle. */
		settle: () => new Promise((resolve) => setImmediate(resolve)),
	};
}

describe("printOtlp", () => {
	it("writes what a strict reader of OTLP reads back, whatever the attributes", async () => {
		await using collector = await OtlpCollector.start();
		const value = fc.oneof(
			fc.string(),
			fc.boolean(),
			fc.integer(),
			fc.double({ noNaN: true, noDefaultInfinity: true }),
			fc.array(fc.string()),
		);
		await fc.assert(
			fc.asyncProperty(
				fc.dictionary(fc.stringMatching(/^[a-z0-9._]+$/), value),
				async (attributes) => {
					collector.spans.length = 0;
					const sent = span(7, attributes);
					await fetch(collector.url, {
						method: "POST",
						body: printOtlp([sent], origin),
					});
					expect(collector.problems).to.deep.equal([]);
					const [got] = collector.spans;
					expect(got?.start).to.equal(1_767_225_600_007_250_000n);
					expect(got?.end).to.equal(1_767_225_600_008_500_000n);
					expect(got?.resource).to.deep.equal(origin.resource);
					// -0 has no text of its own.
					expect(JSON.stringify(got?.attributes)).to.equal(
						JSON.stringify({ ...attributes }),
					);
				},
			),
			{ numRuns: 50 },
		);
	});
});

describe("SpanExporter", () => {
	it("sends what came within the delay in one request", async () => {
		const { clock, exporter, posts, settle, figure } = bench();
		exporter.add([span(1), span(2)]);
		clock.pass(4999);
		exporter.add([span(3)]);
		expect(posts).to.have.length(0);
		clock.pass(1);
		await settle();
		expect(posts).to.have.length(1);
		expect(figure("spans_exported_total")).to.equal(3);
		clock.pass(60_000);
		expect(posts).to.have.length(1);
		await exporter[Symbol.asyncDispose]();
		expect(clock.waiting).to.equal(0);
	});

	it("does not wait when there is enough for a request, and sends the rest after it", async () => {
		const { clock, exporter, posts, settle } = bench({ maxBatch: 2 });
		exporter.add([span(1), span(2), span(3)]);
		clock.pass(0);
		await settle();
		expect(posts).to.have.length(1);
		clock.pass(5000);
		await settle();
		expect(posts).to.have.length(2);
		await exporter[Symbol.asyncDispose]();
	});

	it("keeps spans while the collector is dead, up to a limit, and counts what it drops", async () => {
		const { clock, exporter, posts, answerWith, settle, figure } = bench({
			maxWaiting: 10,
		});
		answerWith(() => Promise.reject(new Error("nobody there")));
		exporter.add([span(0)]);
		for (let at = 1; at <= 10; at++) {
			clock.pass(5000);
			await settle();
			exporter.add([span(2 * at), span(2 * at + 1)]);
		}
		const { length } = posts;
		expect(length).to.be.within(3, 9);
		expect(figure('spans_dropped_total{reason="full"}')).to.equal(12);
		expect(figure("export_failures_total")).to.equal(length);
		answerWith(() => Promise.resolve({ status: 200, body: "{}" }));
		clock.pass(32_000);
		await settle();
		expect(figure("spans_exported_total")).to.equal(9);
		await exporter[Symbol.asyncDispose]();
	});

	for (const { status, body, exported, refused } of [
		{ status: 429, body: "", exported: 0, refused: 0 },
		{ status: 503, body: "", exported: 0, refused: 0 },
		{ status: 400, body: "no", exported: 0, refused: 2 },
		{ status: 401, body: "", exported: 0, refused: 2 },
		{ status: 200, body: "<html>", exported: 2, refused: 0 },
		{
			status: 200,
			body: '{"partialSuccess":{"rejectedSpans":"1"}}',
			exported: 1,
			refused: 1,
		},
	])
		it(`counts ${exported} as exported and ${refused} as refused after ${status} ${body}`, async () => {
			const { clock, exporter, answerWith, settle, figure } = bench();
			answerWith(() => Promise.resolve({ status, body }));
			exporter.add([span(1), span(2)]);
			clock.pass(5000);
			await settle();
			expect(figure("spans_exported_total")).to.equal(exported);
			expect(figure('spans_dropped_total{reason="refused"}')).to.equal(refused);
			await exporter[Symbol.asyncDispose]();
		});

	it("sends what waits when the process ends, and is not held up by a collector that is silent", async () => {
		const { clock, exporter, posts, answerWith, figure } = bench();
		answerWith(
			() =>
				new Promise((_, reject) => {
					posts
						.at(-1)
						?.signal.addEventListener("abort", () => reject(new Error()));
				}),
		);
		exporter.add([span(1)]);
		const ended = exporter[Symbol.asyncDispose]();
		await Promise.resolve();
		await Promise.resolve();
		expect(posts).to.have.length(1);
		clock.pass(1000);
		await ended;
		expect(figure('spans_dropped_total{reason="stopped"}')).to.equal(1);
		exporter.add([span(2)]);
		expect(figure('spans_dropped_total{reason="stopped"}')).to.equal(2);
		expect(clock.waiting).to.equal(0);
	});

	it("wants no more traces than its rate allows", () => {
		const { clock, exporter } = bench();
		const wanted = () =>
			Array.from({ length: 10 }, () => exporter.wantsTrace()).filter(Boolean)
				.length;
		expect(wanted()).to.equal(3);
		clock.pass(20_000);
		expect(wanted()).to.equal(1);
	});
});
