import { expect } from "chai";
import { MemoryDistribution } from "../../test/testkit/memory-distribution.ts";
import { routeRule } from "../../test/testkit/objects.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ReportedObject } from "../api/proxy-report.ts";
import type { RouteRule } from "../api/route-rule.ts";
import { WritableSignal } from "../lib/signal.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import type { HeldBack } from "../reconcilers/distribution.ts";
import { reportShards, shardOf } from "../reconcilers/proxy-report.ts";
import { emptyObjects } from "../store/empty-objects.ts";
import type { MeshState } from "./mesh.ts";
import { ProxyReporter } from "./proxy-report.ts";

function ref(name: string): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name };
}

function rule(name: string, generation = 1, uid = "u1"): RouteRule {
	return routeRule(name, {}, { generation, uid });
}

/** A reporter whose world is changed by hand. */
class World implements Disposable {
	readonly mesh = new WritableSignal<MeshState>({
		mesh: undefined,
		objects: undefined,
		findings: [],
		builds: 0,
		failure: undefined,
	});
	readonly distribution = new MemoryDistribution();
	readonly heldBack = new WritableSignal<ReadonlyMap<string, HeldBack>>(
		new Map(),
	);
	readonly clock = new TestClock();
	/** What others can read, by shard. */
	readonly told = new Map<number, ReadonlyMap<string, ReportedObject>>();
	readonly writes: number[] = [];
	fails = false;
	readonly reporter = new ProxyReporter({
		inputs: {
			mesh: this.mesh,
			heldBack: this.heldBack,
			distribution: this.distribution,
		},
		writer: {
			write: (shard, objects) => {
				this.writes.push(shard);
				if (this.fails) return Promise.reject(new Error("no route to host"));
				this.told.set(shard, objects);
				return Promise.resolve();
			},
		},
		clock: this.clock,
		logger: silentLogger,
		metrics: new MetricsRegistry(),
	});

	build(...rules: readonly RouteRule[]): void {
		this.mesh.set({
			...this.mesh.value,
			objects: {
				...emptyObjects(),
				RouteRule: new Map(
					rules.map((one) => [`default/${one.metadata.name}`, one]),
				),
			},
		});
	}

	/** Lets time pass, and writes that have ended be noticed. */
	async pass(ms: number): Promise<void> {
		for (let passed = 0; passed < ms; passed += 10) {
			this.clock.pass(Math.min(10, ms - passed));
			for (let turn = 0; turn < 5; turn++) await Promise.resolve();
		}
	}

	said(name: string): ReportedObject | undefined {
		const key = `RouteRule/default/${name}`;
		return this.told.get(shardOf(key))?.get(key);
	}

	[Symbol.dispose](): void {
		this.reporter[Symbol.dispose]();
	}
}

describe("ProxyReporter", () => {
	let world: World;

	beforeEach(() => {
		world = new World();
	});

	afterEach(() => world[Symbol.dispose]());

	it("tells nothing before it is told to, and then everything at once", async () => {
		world.build(rule("reviews"));
		await world.pass(1000);
		expect(world.writes).to.deep.equal([]);
		await world.reporter.publish();
		expect(world.writes).to.have.length(reportShards);
		expect(world.said("reviews")).to.include({
			uid: "u1",
			generation: 1,
			total: 0,
		});
	});

	it("writes the one report that an object is in when all its proxies have it, and not before", async () => {
		world.build(rule("reviews"), rule("ratings"));
		await world.reporter.publish();
		world.writes.length = 0;
		world.build(rule("reviews", 2), rule("ratings"));
		world.distribution.set(ref("reviews"), { total: 3, acknowledged: 1 });
		await world.pass(500);
		expect(world.writes).to.deep.equal([]);
		expect(world.said("reviews")).to.include({ generation: 1 });
		world.distribution.set(ref("reviews"), { acknowledged: 3 });
		await world.pass(100);
		expect(world.writes).to.deep.equal([shardOf("RouteRule/default/reviews")]);
		expect(world.said("reviews")).to.include({
			generation: 2,
			total: 3,
			acknowledged: 3,
		});
	});

	it("tells once a second of what takes long", async () => {
		world.build(rule("reviews"));
		await world.reporter.publish();
		world.writes.length = 0;
		world.build(rule("reviews", 2));
		world.distribution.set(ref("reviews"), { total: 100, acknowledged: 0 });
		for (let at = 1; at < 50; at++) {
			world.distribution.setSilently(ref("reviews"), { acknowledged: at });
			await world.pass(100);
		}
		expect(world.writes.length).to.be.within(4, 5);
		expect(world.said("reviews")).to.include({ generation: 2, total: 100 });
	});

	it("tells of a refusal at once", async () => {
		world.build(rule("reviews"));
		await world.reporter.publish();
		world.build(rule("reviews", 2));
		world.distribution.set(ref("reviews"), {
			total: 3,
			rejected: 1,
			rejections: [{ proxy: "default/a", message: "no" }],
		});
		await world.pass(100);
		expect(world.said("reviews")).to.deep.include({
			generation: 2,
			rejections: [{ proxy: "default/a", message: "no" }],
		});
	});

	it("speaks of the form that proxies are served while a newer one is held back", async () => {
		world.build(rule("reviews", 2));
		world.heldBack.set(
			new Map([
				[
					"RouteRule/default/reviews",
					{ generation: 2, inForceGeneration: 1, rejections: [] },
				],
			]),
		);
		await world.reporter.publish();
		expect(world.said("reviews")).to.include({ generation: 1 });
		world.heldBack.set(new Map());
		await world.pass(100);
		expect(world.said("reviews")).to.include({ generation: 2 });
	});

	it("says nothing more of an object that is gone, and knows a new one of its name", async () => {
		world.build(rule("reviews"), rule("ratings"));
		await world.reporter.publish();
		world.build(rule("ratings", 1, "u2"));
		await world.pass(100);
		expect(world.said("reviews")).to.equal(undefined);
		expect(world.said("ratings")).to.include({ uid: "u2" });
	});

	it("writes nothing while nothing changes, and not for what makes no difference", async () => {
		world.build(rule("reviews"));
		await world.reporter.publish();
		world.writes.length = 0;
		world.build(routeRule("reviews", {}, { uid: "u1", labels: { a: "b" } }));
		world.distribution.set(ref("reviews"), {});
		await world.pass(60_000);
		expect(world.writes).to.deep.equal([]);
		expect(world.clock.waiting).to.equal(0);
	});

	it("writes ten reports a second at most, however much changes", async () => {
		const names = Array.from({ length: 500 }, (_, at) => `rule-${at}`);
		world.build(...names.map((name) => rule(name)));
		await world.reporter.publish();
		world.writes.length = 0;
		for (let at = 0; at < 300; at++) {
			world.build(...names.map((name) => rule(name, at + 2)));
			await world.pass(100);
		}
		expect(world.writes.length).to.be.within(250, 16 + 300);
		await world.pass(5000);
		expect(world.said("rule-7")).to.include({ generation: 301 });
	});

	it("tries a failed write again, later and later, with what is true then", async () => {
		world.build(rule("reviews"));
		await world.reporter.publish();
		world.writes.length = 0;
		world.fails = true;
		world.build(rule("reviews", 2));
		await world.pass(10_000);
		expect(world.writes.length).to.be.within(3, 5);
		world.build(rule("reviews", 3));
		world.fails = false;
		await world.pass(40_000);
		expect(world.said("reviews")).to.include({ generation: 3 });
	});
});
