import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { ReportedObject } from "../api/proxy-report.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { Replicas } from "./replicas.ts";

function entry(generation: number): ReportedObject {
	return {
		uid: "u1",
		generation,
		withheld: 0,
		total: 1,
		acknowledged: 1,
		rejected: 0,
		missing: [],
		rejections: [],
		accepted: [],
		refused: [],
	};
}

const key = "RouteRule/default/reviews";

function report(replica: string, generation?: number) {
	return {
		replica,
		objects: new Map(
			generation === undefined ? [] : [[key, entry(generation)] as const],
		),
	};
}

describe("Replicas", () => {
	let clock: TestClock;
	let replicas: Replicas;
	let heard: string[];

	beforeEach(() => {
		clock = new TestClock();
		replicas = new Replicas({
			self: "a",
			clock,
			logger: silentLogger,
			metrics: new MetricsRegistry(),
		});
		heard = [];
		replicas.subscribe((refs) =>
			heard.push(...[...refs].map(({ name }) => name)),
		);
		replicas.subscribeTotals(() => heard.push("totals"));
	});

	afterEach(() => replicas[Symbol.dispose]());

	function renewed(replica: string, stamp: string, isServing = true): void {
		replicas.putLease({ replica, stamp, isServing });
	}

	it("knows what a replica reports while it lives", () => {
		replicas.putReport("b-3", report("b", 2));
		expect(replicas.on(key)).to.deep.equal([]);
		renewed("b", "1");
		expect(replicas.on(key)).to.deep.equal([{ name: "b", entry: entry(2) }]);
		replicas.putReport("b-3", report("b", 3));
		expect(replicas.on(key)).to.deep.equal([{ name: "b", entry: entry(3) }]);
		expect(heard).to.deep.equal(["totals", "reviews", "reviews"]);
	});

	it("counts a replica only from the moment on at which it says that it serves", () => {
		renewed("b", "1", false);
		expect(replicas.living).to.deep.equal([]);
		renewed("b", "2");
		expect(replicas.living).to.deep.equal(["b"]);
	});

	it("takes a replica that does not renew its Lease for gone after 20 seconds, and for back when it does", () => {
		renewed("b", "1");
		clock.pass(15_000);
		renewed("b", "2");
		clock.pass(19_000);
		expect(replicas.living).to.deep.equal(["b"]);
		clock.pass(1000);
		expect(replicas.living).to.deep.equal([]);
		// Seen again, as after a new listing, and not renewed.
		renewed("b", "2");
		expect(replicas.living).to.deep.equal([]);
		renewed("b", "3");
		expect(replicas.living).to.deep.equal(["b"]);
	});

	it("notices the end of a replica with timers that fire early, too", () => {
		const early = new Replicas({
			self: "a",
			clock: {
				nowMs: () => clock.nowMs(),
				monotonicMs: () => clock.monotonicMs(),
				after: (delayMs, callback) =>
					clock.after(Math.max(0.25, delayMs - 0.5), callback),
			},
			logger: silentLogger,
			metrics: new MetricsRegistry(),
		});
		early.putLease({ replica: "b", stamp: "1", isServing: true });
		clock.pass(19_999);
		expect(early.living).to.deep.equal(["b"]);
		clock.pass(2);
		expect(early.living).to.deep.equal([]);
		early[Symbol.dispose]();
	});

	it("does not care what the clocks of machines say", () => {
		renewed("b", "1");
		clock.jump(3_600_000);
		clock.pass(10_000);
		expect(replicas.living).to.deep.equal(["b"]);
	});

	it("forgets at once a replica that stops in order", () => {
		renewed("b", "1");
		replicas.deleteLease("b");
		expect(replicas.living).to.deep.equal([]);
	});

	it("is not among the others itself", () => {
		renewed("a", "1");
		replicas.putReport("a-0", report("a", 1));
		expect(replicas.on(key)).to.deep.equal([]);
	});

	it("learns from a new listing what is gone", () => {
		renewed("b", "1");
		renewed("c", "1");
		replicas.putReport("b-3", report("b", 2));
		replicas.putReport("c-3", report("c", 2));
		replicas.replaceLeases([{ replica: "b", stamp: "2", isServing: true }]);
		replicas.replaceReports(new Map([["b-3", report("b")]]));
		expect(replicas.on(key)).to.deep.equal([{ name: "b", entry: undefined }]);
	});

	it("says what replicas that are long gone have left", () => {
		renewed("b", "1");
		replicas.putReport("b-3", report("b", 2));
		replicas.putReport("c-3", report("c", 2));
		expect(replicas.leftovers()).to.deep.equal({
			leases: [],
			reports: ["c-3"],
		});
		clock.pass(61_000);
		expect(replicas.leftovers().leases).to.deep.equal(["b"]);
	});
});
