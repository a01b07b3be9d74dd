import { expect } from "chai";
import { TestClock } from "../../../test/testkit/test-clock.ts";
import type { ObjectRef } from "../../api/object-ref.ts";
import { MetricsRegistry } from "../../observability/metrics.ts";
import type { Span } from "../../observability/tracing/span.ts";
import { refKey } from "../../store/ref-key.ts";
import { ChangeFollower } from "./change-follower.ts";

function rule(name: string): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name };
}

/** A follower whose proxies do what the test says. */
function bench() {
	const clock = new TestClock();
	const metrics = new MetricsRegistry();
	const lacking = new Map<string, number>();
	const traces: (readonly Span[])[] = [];
	let tell: (refs: Iterable<ObjectRef>) => void = () => undefined;
	let ids = 0;
	const follower = new ChangeFollower({
		distribution: {
			lackingOf: (ref) => lacking.get(refKey(ref)) ?? 0,
			reachOf: () => ({ missing: ["default/slow"], rejected: 0 }),
			subscribe: (listener) => {
				tell = listener;
				return () => undefined;
			},
		},
		proxies: () => 2,
		generated: () => 0,
		generationOf: () => 7,
		spans: {
			wantsTrace: () => true,
			add: (spans) => traces.push(spans),
		},
		newId: (bytes) => String(ids++).padStart(2 * bytes, "0"),
		clock,
		metrics,
	});
	/** One build that makes these rules differ, so that `proxies` lack them; `isChange` when their source did. */
	const build = (
		names: readonly string[],
		proxies: number,
		isChange = true,
	): void => {
		if (isChange)
			follower.changed(
				names.map((name) => ({ kind: "RouteRule", key: `default/${name}` })),
			);
		clock.pass(10);
		follower.buildBegins();
		clock.pass(5);
		follower.meshBuilt();
		for (const name of names) lacking.set(refKey(rule(name)), proxies);
		tell(names.map(rule));
		follower.generated();
	};
	return {
		clock,
		follower,
		traces,
		build,
		acknowledge: (name: string) => {
			lacking.set(refKey(rule(name)), 0);
			tell([rule(name)]);
		},
		figure: (name: string): number => {
			const line = metrics
				.print()
				.split("\n")
				.find((one) => one.startsWith(`lateen_${name} `));
			return Number(line?.split(" ")[1]);
		},
	};
}

function result(name: string): string {
	return `changes_total{result="${name}"}`;
}

describe("ChangeFollower", () => {
	it("measures each stage from the first object on", () => {
		const { clock, follower, build, acknowledge, figure } = bench();
		build(["a"], 2);
		follower.sent();
		clock.pass(30);
		follower.sent();
		clock.pass(40);
		acknowledge("a");
		expect(figure('change_seconds_sum{stage="built"}')).to.equal(0.015);
		expect(figure('change_seconds_sum{stage="sent"}')).to.equal(0.045);
		expect(figure('change_seconds_sum{stage="acknowledged"}')).to.equal(0.085);
		expect(figure(result("acknowledged"))).to.equal(1);
	});

	it("waits for all objects of a change", () => {
		const { build, acknowledge, figure } = bench();
		build(["a", "b"], 1);
		acknowledge("a");
		expect(figure("changes_pending")).to.equal(1);
		acknowledge("b");
		expect(figure(result("acknowledged"))).to.equal(1);
		expect(figure("changes_pending")).to.equal(0);
	});

	it("says that nobody needs what no proxy lacks", () => {
		const { build, figure } = bench();
		build(["a"], 0);
		expect(figure(result("unneeded"))).to.equal(1);
		expect(figure('change_seconds_count{stage="acknowledged"}')).to.be.NaN;
	});

	it("names the proxies that lack it when it is late, and goes on", () => {
		const { clock, build, acknowledge, figure, traces } = bench();
		build(["a"], 1);
		clock.pass(29_999);
		expect(figure(result("late"))).to.equal(0);
		clock.pass(1);
		expect(figure(result("late"))).to.equal(1);
		expect(traces).to.have.length(1);
		const [root] = traces[0] ?? [];
		expect(root?.failure).to.include("default/slow");
		expect(root?.attributes).to.include({
			"lateen.result": "late",
			"lateen.object.generation": 7,
		});
		acknowledge("a");
		expect(figure(result("acknowledged"))).to.equal(0);
	});

	it("lets a newer change take the place of an older one", () => {
		const { build, figure } = bench();
		build(["a"], 1);
		build(["a"], 1);
		expect(figure(result("superseded"))).to.equal(1);
		expect(figure("changes_pending")).to.equal(1);
	});

	it("is over when something else replaces it, such as its last good form", () => {
		const { build, figure } = bench();
		build(["a"], 1);
		build(["a"], 1, false);
		expect(figure(result("superseded"))).to.equal(1);
		expect(figure("changes_pending")).to.equal(0);
	});

	it("forgets what changes nothing for proxies", () => {
		const { clock, follower, figure, traces } = bench();
		follower.changed([{ kind: "Pod", key: "default/p" }]);
		follower.buildBegins();
		follower.buildEnded();
		expect(figure("changes_pending")).to.equal(0);
		expect(traces).to.deep.equal([]);
		expect(clock.waiting).to.equal(0);
	});

	it("follows no more than it can keep", () => {
		const { clock, follower, build, figure } = bench();
		for (let at = 0; at < 100; at++) build([`r${at}`], 1);
		expect(figure("changes_pending")).to.equal(64);
		expect(figure(result("unfollowed"))).to.equal(36);
		follower[Symbol.dispose]();
		expect(clock.waiting).to.equal(0);
	});
});
