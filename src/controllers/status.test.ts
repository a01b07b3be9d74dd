import { expect } from "chai";
import { MemoryDistribution } from "../../test/testkit/memory-distribution.ts";
import { routeRule, service } from "../../test/testkit/objects.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject, InvalidObject } from "../api/objects.ts";
import { conditionOf, type ObjectStatus } from "../api/status.ts";
import { WritableSignal } from "../lib/signal.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import type { HeldBack } from "../reconcilers/distribution.ts";
import { MemoryEventWriter } from "../store/memory-writer.ts";
import { ObjectStore } from "../store/object-store.ts";
import type { StatusWriter } from "../store/object-writer.ts";
import type { MeshState } from "./mesh.ts";
import { StatusController } from "./status.ts";

/** Writes down what it is given, and fails when the test says so. */
class RecordingWriter implements StatusWriter {
	readonly written: ObjectStatus[] = [];
	readonly gone: ObjectRef[] = [];
	fails = false;
	batches = 0;

	write(statuses: readonly ObjectStatus[]): Promise<void> {
		this.batches += 1;
		if (this.fails) return Promise.reject(new Error("disk full"));
		this.written.push(...statuses);
		return Promise.resolve();
	}

	forget(refs: readonly ObjectRef[]): void {
		this.gone.push(...refs);
	}
}

function ref(name: string): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name };
}

/** A controller whose world is changed by hand. */
class World implements Disposable {
	readonly store = new ObjectStore(["memory"]);
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
	readonly writer = new RecordingWriter();
	readonly events = new MemoryEventWriter();
	readonly clock = new TestClock();
	readonly metrics = new MetricsRegistry();
	readonly controller = new StatusController({
		inputs: {
			objects: this.store.objects,
			invalid: this.store.invalid,
			allListed: this.store.allListed,
			mesh: this.mesh,
			distribution: this.distribution,
			heldBack: this.heldBack,
		},
		statuses: this.writer,
		events: this.events,
		clock: this.clock,
		logger: silentLogger,
		metrics: this.metrics,
		pace: {
			holdOff: { quietMs: 20, maxMs: 100 },
			progressMs: 1000,
			retryMs: 1000,
		},
	});

	put(...objects: readonly ApiObject[]): void {
		this.store.apply(
			"memory",
			objects.map((object) => ({ op: "put", object })),
		);
	}

	refuse(name: string, generation: number): void {
		const invalid: InvalidObject = {
			ref: ref(name),
			generation,
			violations: [{ path: "spec", message: "No." }],
		};
		this.store.apply("memory", [{ op: "put-invalid", invalid }]);
	}

	/** Everything that is in the store is in the mesh now. */
	build(findings: readonly Finding[] = []): void {
		const { builds } = this.mesh.value;
		this.mesh.set({
			// The controller looks only at whether there is one.
			mesh: {} as Mesh,
			objects: this.store.objects.value,
			findings,
			builds: builds + 1,
			failure: undefined,
		});
	}

	/** Lets time pass, and writes that have ended be noticed. */
	async pass(ms: number): Promise<void> {
		this.clock.pass(ms);
		for (let turn = 0; turn < 5; turn++) await Promise.resolve();
	}

	/** `name: status/reason` of what was written since the last call. */
	taken(): readonly string[] {
		return this.writer.written.splice(0).map((status) => {
			const ready = conditionOf(status, "Ready");
			return `${status.ref.name}: ${ready?.status}/${ready?.reason}`;
		});
	}

	[Symbol.dispose](): void {
		this.controller[Symbol.dispose]();
	}
}

/** A world with rules of these names, built, listed and written. */
async function started(...names: readonly string[]): Promise<World> {
	const world = new World();
	world.put(...names.map((name) => routeRule(name)));
	world.store.listed("memory");
	world.build();
	await world.pass(100);
	expect(world.taken()).to.deep.equal(
		names.map((name) => `${name}: True/Ready`),
	);
	return world;
}

describe("StatusController", () => {
	it("says nothing before every source has listed", async () => {
		using world = new World();
		world.put(routeRule("a"));
		world.build();
		await world.pass(500);
		expect(world.taken()).to.deep.equal([]);
		world.store.listed("memory");
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
	});

	it("keeps its pace when the machine's clock jumps back an hour", async () => {
		using world = await started("a");
		world.clock.jump(-3_600_000);
		world.distribution.set(ref("a"), { total: 2, missing: ["x", "y"] });
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: False/Distributing"]);
		world.distribution.set(ref("a"), { acknowledged: 1, missing: ["y"] });
		await world.pass(1100);
		expect(world.taken()).to.deep.equal(["a: False/Distributing"]);
		world.distribution.set(ref("a"), { acknowledged: 2, missing: [] });
		await world.pass(20);
		const [status] = world.writer.written;
		expect(status && conditionOf(status, "Ready")?.lastTransitionMs).to.equal(
			world.clock.nowMs(),
		);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
	});

	it("says who is missing now when some have acknowledged since, which nobody tells", async () => {
		using world = await started("a");
		world.distribution.set(ref("a"), { total: 3, missing: ["x", "y", "z"] });
		await world.pass(100);
		expect(world.taken()).to.deep.equal(["a: False/Distributing"]);
		world.distribution.setSilently(ref("a"), {
			acknowledged: 2,
			missing: ["z"],
		});
		await world.pass(1100);
		const [status] = world.writer.written;
		const programmed = status && conditionOf(status, "Programmed");
		expect(programmed?.message).to.include("2 of 3").and.include("for z");
	});

	it("decides nothing while an object is on its way and does not move", async () => {
		using world = await started("a");
		world.distribution.set(ref("a"), { total: 3, acknowledged: 2 });
		await world.pass(2500);
		const before = world.metrics.print();
		await world.pass(60_000);
		expect(world.metrics.print()).to.equal(before);
	});

	it("writes the status of our kinds only", async () => {
		using world = await started("a");
		world.put(service("reviews"));
		world.build();
		await world.pass(500);
		expect(world.taken()).to.deep.equal([]);
	});

	it("makes one write of a change and all its acknowledgements", async () => {
		using world = await started("a", "b");
		world.put(routeRule("a", { precedence: 1 }, { generation: 2 }));
		await world.pass(10);
		world.build();
		world.distribution.set(ref("a"), { total: 3, acknowledged: 0 });
		for (const acknowledged of [1, 2, 3]) {
			await world.pass(15);
			world.distribution.set(ref("a"), { acknowledged });
		}
		await world.pass(500);
		expect(world.writer.written.at(-1)?.observedGeneration).to.equal(2);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
	});

	it("does not wait longer than the hold-off allows while changes go on", async () => {
		using world = await started("a");
		for (let acknowledged = 0; acknowledged < 8; acknowledged++) {
			world.distribution.set(ref("a"), { total: 100, acknowledged });
			await world.pass(15);
		}
		expect(world.taken()).to.deep.equal(["a: False/Distributing"]);
	});

	it("is never live before the newest form is built", async () => {
		using world = await started("a");
		world.distribution.set(ref("a"), { total: 1, acknowledged: 1 });
		await world.pass(20);
		world.taken();
		world.put(routeRule("a", { precedence: 1 }, { generation: 2 }));
		await world.pass(100);
		expect(world.taken()).to.deep.equal(["a: Unknown/Pending"]);
		world.build();
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
	});

	it("writes nothing when nothing is different", async () => {
		using world = await started("a");
		world.distribution.set(ref("a"), {});
		world.build();
		world.distribution.setTotals([], {});
		await world.pass(5000);
		expect(world.writer.batches).to.equal(1);
	});

	it("writes progress once a second, and the end of it at once", async () => {
		using world = await started("a");
		world.distribution.set(ref("a"), { total: 50, acknowledged: 0 });
		await world.pass(50);
		expect(world.taken()).to.deep.equal(["a: False/Distributing"]);
		for (let acknowledged = 1; acknowledged < 50; acknowledged++) {
			world.distribution.set(ref("a"), { acknowledged });
			await world.pass(50);
		}
		const progress = world.taken();
		expect(progress.length).to.be.within(1, 3);
		world.distribution.set(ref("a"), { acknowledged: 50 });
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
	});

	it("shows the last progress even when nothing follows", async () => {
		using world = await started("a");
		world.distribution.set(ref("a"), { total: 9, acknowledged: 1 });
		await world.pass(50);
		world.distribution.set(ref("a"), { acknowledged: 8 });
		await world.pass(2500);
		expect(world.writer.written.at(-1)?.proxies.acknowledged).to.equal(8);
		world.distribution.set(ref("a"), { acknowledged: 9 });
		await world.pass(2500);
		expect(world.clock.waiting).to.equal(0);
	});

	it("looks at all objects again when proxies come or go, but not for each of them", async () => {
		using world = await started("a", "b");
		for (let total = 1; total <= 1000; total++) {
			world.distribution.setTotals([ref("a"), ref("b")], {
				total,
				acknowledged: total,
			});
			await world.pass(2);
		}
		await world.pass(3000);
		const counts = world.writer.written.map(({ proxies }) => proxies.total);
		expect(counts.at(-1)).to.equal(1000);
		expect(counts.length).to.be.within(4, 12);
	});

	it("tells of a refusal and of its end, in the status and as events", async () => {
		using world = await started("a", "b");
		world.refuse("a", 2);
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: False/Invalid"]);
		world.put(routeRule("a", { precedence: 2 }, { generation: 3 }));
		world.build();
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
		expect(world.events.all.map(({ reason }) => reason)).to.deep.equal([
			"Invalid",
			"Mended",
		]);
	});

	it("gives an object that was never good a status, too", async () => {
		using world = await started("a");
		world.refuse("new", 1);
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["new: False/Invalid"]);
	});

	it("says which proxy refused, and nothing of other objects", async () => {
		using world = await started("a", "b");
		const rejections = [{ proxy: "default/p", message: "unknown field" }];
		world.distribution.set(ref("a"), {
			total: 1,
			rejected: 1,
			rejections,
		});
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: False/Rejected"]);
		expect(world.events.all[0]?.message).to.include("unknown field");
		world.distribution.set(ref("a"), {
			acknowledged: 1,
			rejected: 0,
			rejections: [],
		});
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
		expect(world.events.all.map(({ reason }) => reason)).to.deep.equal([
			"Rejected",
			"Recovered",
		]);
	});

	it("says of a form that is kept out who refused it, until there is a newer one", async () => {
		using world = await started("a", "b");
		world.put(routeRule("a", { precedence: 1 }, { generation: 2 }));
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: Unknown/Pending"]);
		world.heldBack.set(
			new Map([
				[
					"RouteRule/default/a",
					{
						generation: 2,
						inForceGeneration: 1,
						rejections: [{ proxy: "default/p", message: "no" }],
					},
				],
			]),
		);
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: False/Rejected"]);
		world.put(routeRule("a", { precedence: 2 }, { generation: 3 }));
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: Unknown/Pending"]);
		world.build();
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
		expect(world.events.all.map(({ reason }) => reason)).to.deep.equal([
			"Rejected",
			"Recovered",
		]);
	});

	it("follows findings as they come, change and go", async () => {
		using world = await started("a", "b");
		const finding: Finding = {
			about: ref("b"),
			condition: "Programmed",
			reason: "Shadowed",
			path: "",
			message: "Taken.",
		};
		world.build([finding]);
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["b: False/Shadowed"]);
		world.build([{ ...finding }]);
		await world.pass(20);
		expect(world.taken()).to.deep.equal([]);
		world.build([]);
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["b: True/Ready"]);
	});

	it("says that the newest objects cannot be built, of those that wait for it alone", async () => {
		using world = await started("a", "b");
		world.put(routeRule("a", { precedence: 1 }, { generation: 2 }));
		world.mesh.set({
			...world.mesh.value,
			failure: { atMs: 0, error: new Error("oops") },
		});
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: Unknown/BuildFailed"]);
		world.build();
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
	});

	it("forgets an object that is gone", async () => {
		using world = await started("a", "b");
		world.store.apply("memory", [{ op: "delete", ref: ref("a") }]);
		world.build();
		await world.pass(20);
		expect(world.taken()).to.deep.equal([]);
		expect(world.writer.gone).to.deep.equal([ref("a")]);
		world.put(routeRule("a"));
		world.build();
		await world.pass(20);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
	});

	it("tries a failed write again, later each time, with what is true then", async () => {
		using world = await started("a", "b");
		world.writer.fails = true;
		world.refuse("a", 2);
		world.refuse("b", 2);
		await world.pass(20);
		expect(world.writer.batches).to.equal(2);
		await world.pass(999);
		expect(world.writer.batches).to.equal(2);
		await world.pass(1);
		expect(world.writer.batches).to.equal(3);
		await world.pass(1900);
		world.put(routeRule("a", { precedence: 1 }, { generation: 3 }));
		world.build();
		world.store.apply("memory", [{ op: "delete", ref: ref("b") }]);
		world.writer.fails = false;
		await world.pass(99);
		expect(world.writer.batches).to.equal(3);
		await world.pass(1);
		expect(world.taken()).to.deep.equal(["a: True/Ready"]);
		expect(world.metrics.print()).to.include(
			"lateen_status_write_failures_total 2",
		);
	});

	it("writes what is new while earlier writes are under way", async () => {
		using world = await started("a", "b");
		const { writer } = world;
		const write = writer.write.bind(writer);
		const asked: string[] = [];
		writer.write = async (statuses) => {
			asked.push(
				statuses
					.map(({ ref, observedGeneration }) =>
						[ref.name, observedGeneration].join(),
					)
					.join(" "),
			);
			if (statuses.length > 1) await new Promise<never>(() => undefined);
			await write(statuses);
		};
		world.refuse("a", 2);
		world.refuse("b", 2);
		await world.pass(20);
		world.refuse("a", 3);
		await world.pass(20);
		await world.pass(1000);
		expect(asked).to.deep.equal(["a,2 b,2", "a,3"]);
		expect(
			writer.written.map(({ observedGeneration }) => observedGeneration),
		).to.deep.equal([3]);
	});

	it("does nothing any more once it is disposed of", async () => {
		const world = await started("a");
		world.refuse("a", 2);
		world[Symbol.dispose]();
		world.refuse("a", 3);
		await world.pass(5000);
		expect(world.taken()).to.deep.equal([]);
		expect(world.clock.waiting).to.equal(0);
	});

	it("decides only about objects that something happened to", async () => {
		const names = Array.from({ length: 1000 }, (_, index) => `rule-${index}`);
		using world = new World();
		world.put(...names.map((name) => routeRule(name)));
		world.store.listed("memory");
		world.build();
		await world.pass(20);
		world.put(routeRule("rule-7", { precedence: 1 }, { generation: 2 }));
		world.build();
		await world.pass(20);
		expect(world.metrics.print()).to.include(
			"lateen_status_decisions_total 1001",
		);
		expect(world.metrics.print()).to.include("lateen_status_writes_total 1001");
	});

	describe("is complete", () => {
		it("when every object that there was has a status from the first mesh", async () => {
			using world = new World();
			const { isComplete } = world.controller;
			world.put(routeRule("a", { destination: { name: "reviews" } }));
			await world.pass(1000);
			world.store.listed("memory");
			await world.pass(1000);
			expect(isComplete.value).to.equal(false);
			world.build();
			expect(isComplete.value).to.equal(false);
			await world.pass(1000);
			expect(isComplete.value).to.equal(true);
			world.put(routeRule("b", { destination: { name: "reviews" } }));
			expect(isComplete.value).to.equal(true);
		});

		it("with what is true then, not with what was true before the mesh", async () => {
			using world = new World();
			world.put(routeRule("a", { destination: { name: "reviews" } }));
			world.store.listed("memory");
			await world.pass(100);
			world.build();
			await world.pass(100);
			expect(world.controller.isComplete.value).to.equal(true);
			const { message } =
				conditionOf(
					world.writer.written.at(-1) as ObjectStatus,
					"Programmed",
				) ?? {};
			await world.pass(5000);
			const last = world.writer.written.at(-1) as ObjectStatus;
			expect(conditionOf(last, "Programmed")?.message).to.equal(message);
		});

		it("at once where there is no object", () => {
			using world = new World();
			world.build();
			expect(world.controller.isComplete.value).to.equal(false);
			world.store.listed("memory");
			expect(world.controller.isComplete.value).to.equal(true);
		});
	});
});
