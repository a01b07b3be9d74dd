import { expect } from "chai";
import { eventLoopTurns } from "../../test/testkit/event-loop-turns.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { WritableSignal } from "../lib/signal.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import type { SeenCopy } from "../reconcilers/trust-bundle.ts";
import { controllerFigures } from "./controller.ts";
import { keepTrustBundles } from "./trust-bundle.ts";

function original(pem: string): SeenCopy {
	return { data: { "ca.crt": pem }, isCopy: false };
}

/** A controller whose copies are seen as soon as they are written. */
class World implements AsyncDisposable {
	readonly asking = new WritableSignal<ReadonlySet<string> | undefined>(
		undefined,
	);
	readonly injected = new WritableSignal<ReadonlySet<string> | undefined>(
		undefined,
	);
	readonly copies = new WritableSignal<
		ReadonlyMap<string, SeenCopy> | undefined
	>(undefined);
	readonly leads = new WritableSignal(true);
	readonly clock = new TestClock();
	/** Where nothing can be written. */
	readonly broken = new Set<string>();
	readonly #controller: AsyncDisposable;

	constructor() {
		const { asking, injected, copies, leads, clock } = this;
		this.#controller = keepTrustBundles({
			inputs: { asking, injected, copies },
			dataOf: (pem) => ({ "ca.crt": pem }),
			ownNamespace: "own",
			writer: {
				apply: async (namespace, data) => {
					if (this.broken.has(namespace))
						throw new Error("the namespace is about to go");
					copies.set(
						new Map(copies.value).set(namespace, { data, isCopy: true }),
					);
				},
				remove: async (namespace) => {
					const left = new Map(copies.value);
					left.delete(namespace);
					copies.set(left);
				},
			},
			leader: { isLeader: () => leads.value, state: leads },
			clock,
			logger: silentLogger,
			figures: controllerFigures(new MetricsRegistry()),
		});
	}

	/** Lets time pass and everything that follows happen. */
	async pass(ms = 0): Promise<void> {
		this.clock.pass(ms);
		await eventLoopTurns(20);
	}

	/** What stands in which namespace. */
	get stored(): Readonly<Record<string, string | undefined>> {
		return Object.fromEntries(
			[...(this.copies.value ?? [])]
				.sort()
				.map(([namespace, { data }]) => [namespace, data["ca.crt"]]),
		);
	}

	/** Changes the original, or takes it away. */
	publish(pem: string | undefined): void {
		const next = new Map(this.copies.value);
		if (pem === undefined) next.delete("own");
		else next.set("own", original(pem));
		this.copies.set(next);
	}

	know(): void {
		this.asking.set(new Set(["a", "own"]));
		this.injected.set(new Set(["a", "b"]));
		this.copies.set(
			new Map([
				["own", original("first")],
				["old", { data: {}, isCopy: true }],
			]),
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.#controller[Symbol.asyncDispose]();
	}
}

describe("the controller of trust bundles", () => {
	it("copies the authorities to where pods are or may come, and takes away what is of no use", async () => {
		await using world = new World();
		world.know();
		await world.pass();
		expect(world.stored).to.deep.equal({
			a: "first",
			b: "first",
			own: "first",
		});
	});

	it("follows a rotation, and namespaces as they come and go", async () => {
		await using world = new World();
		world.know();
		await world.pass();
		world.publish("second");
		world.injected.set(new Set(["c"]));
		await world.pass();
		expect(world.stored).to.deep.equal({
			a: "second",
			c: "second",
			own: "second",
		});
	});

	for (const missing of ["asking", "injected", "copies"] as const)
		it(`does nothing before it knows the ${missing}`, async () => {
			await using world = new World();
			world.know();
			world[missing].set(undefined);
			const before = world.copies.value;
			await world.pass();
			expect(world.copies.value).to.equal(before);
		});

	it("takes trust from nobody when the original is gone", async () => {
		await using world = new World();
		world.know();
		await world.pass();
		world.publish(undefined);
		await world.pass();
		expect(world.stored).to.include({ a: "first" });
	});

	it("goes on with others when one namespace refuses, and tries that again", async () => {
		await using world = new World();
		world.broken.add("a");
		world.know();
		await world.pass();
		expect(world.stored).to.deep.equal({ b: "first", own: "first" });
		world.broken.clear();
		await world.pass(60_000);
		expect(world.stored).to.include({ a: "first" });
	});

	it("is the leader's alone", async () => {
		await using world = new World();
		world.leads.set(false);
		world.know();
		await world.pass();
		expect(world.stored).to.have.property("old");
		world.leads.set(true);
		await world.pass();
		expect(world.stored).to.not.have.property("old");
	});
});
