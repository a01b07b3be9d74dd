/*
 * What `Programmed` says, held against what proxies on real streams have: they
 * accept late, never, twice, or come back with what they had, in any order,
 * while rules change.
 */
import { expect } from "chai";
import fc from "fast-check";
import type { ObjectRef } from "../../src/api/object-ref.ts";
import type { ApiObject } from "../../src/api/objects.ts";
import { FastClock } from "../testkit/fast-clock.ts";
import { endpointSlice, routeRule, service } from "../testkit/objects.ts";
import { ServedObjects } from "../testkit/served-objects.ts";
import { WireProxy } from "../testkit/wire-proxy.ts";

const names = ["a", "b", "c"] as const;
type Name = (typeof names)[number];

function refOf(name: Name): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name };
}

/** What every proxy that needs the rule has in this generation, and in no other. */
function markOf(name: Name, generation: number): string {
	return `${name}-has-generation-${generation}-here`;
}

function ruleOf(name: Name, generation: number): ApiObject {
	return routeRule(
		name,
		{
			match: [{ path: { prefix: "/" } }],
			headers: { response: { set: { "x-mark": markOf(name, generation) } } },
		},
		{ generation },
	);
}

function objectsOf(name: Name): readonly ApiObject[] {
	return [
		service(name),
		endpointSlice(name, { endpoints: ["10.0.0.1"] }),
		ruleOf(name, 1),
	];
}

type Step =
	| { readonly op: "change"; readonly names: readonly Name[] }
	| { readonly op: "silence" | "speak" | "twice"; readonly at: number }
	| { readonly op: "cut"; readonly at: number; readonly hasTaken: boolean }
	| { readonly op: "connect"; readonly at: number }
	| { readonly op: "turns"; readonly count: number }
	| { readonly op: "counted" };

const proxyCount = 3;
const at = fc.nat({ max: proxyCount - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 3,
		arbitrary: fc.record({
			op: fc.constant("change" as const),
			names: fc.subarray([...names], { minLength: 1 }),
		}),
	},
	fc.record({
		op: fc.constantFrom("silence" as const, "speak" as const, "twice" as const),
		at,
	}),
	fc.record({ op: fc.constant("cut" as const), at, hasTaken: fc.boolean() }),
	{
		weight: 2,
		arbitrary: fc.record({ op: fc.constant("connect" as const), at }),
	},
	{
		weight: 3,
		arbitrary: fc.record({
			op: fc.constant("turns" as const),
			count: fc.integer({ min: 1, max: 60 }),
		}),
	},
	fc.constant({ op: "counted" as const }),
);

const holdOff = fc
	.record({
		quietMs: fc.integer({ min: 0, max: 20 }),
		longerMs: fc.integer({ min: 0, max: 80 }),
	})
	.map(({ quietMs, longerMs }) => ({ quietMs, maxMs: quietMs + longerMs }));

/** Objects, proxies, and what is known for certain about who counts. */
class World implements AsyncDisposable {
	readonly served: ServedObjects;
	readonly proxies: readonly WireProxy[];
	readonly generations = new Map<Name, number>(names.map((name) => [name, 1]));
	/** Said too early, in words. */
	readonly lies: string[] = [];
	/** How often something true was said while a proxy counted for certain. */
	checks = 0;
	/** Proxies that count: the server had all of their word before anything changed. */
	readonly #sure = new Set<WireProxy>();
	/** Proxies whose stream began, and that were heard, without a change in between. */
	readonly #fresh = new Set<WireProxy>();

	constructor(served: ServedObjects) {
		this.served = served;
		this.proxies = Array.from(
			{ length: proxyCount },
			(_, index) => new WireProxy(served, `default/p${index}`),
		);
		served.statuses.subscribe((refs) => {
			for (const ref of refs) this.#check(ref);
		});
	}

	get connected(): readonly WireProxy[] {
		return this.proxies.filter(({ isConnected }) => isConnected);
	}

	/** Has every proxy connected and counted. */
	async begin(): Promise<void> {
		for (const proxy of this.proxies) proxy.connect();
		await this.allLive();
		for (const proxy of this.proxies) this.#sure.add(proxy);
	}

	async take(taken: Step): Promise<void> {
		switch (taken.op) {
			case "change":
				this.#fresh.clear();
				for (const name of taken.names) {
					this.generations.set(name, (this.generations.get(name) ?? 0) + 1);
				}
				this.served.put(
					...taken.names.map((name) =>
						ruleOf(name, this.generations.get(name) ?? 0),
					),
				);
				return;
			case "turns":
				for (let turn = 0; turn < taken.count; turn += 1) {
					await new Promise((resolve) => setImmediate(resolve));
				}
				return;
			case "counted":
				// Whoever is not silent is waited for; then it is known to count.
				await this.#heard();
				return;
			default:
				this.#act(taken, this.proxies[taken.at]);
		}
	}

	/** Everyone speaks, or goes; then every rule is live on everyone who is there. */
	async end(staysAway: (index: number) => boolean): Promise<void> {
		this.proxies.forEach((proxy, index) => {
			if (proxy.unanswered > 0 && staysAway(index)) this.#cut(proxy, false);
			else proxy.speak();
		});
		await this.allLive();
	}

	/** Resolves when every rule is live in its newest generation on all who are connected. */
	async allLive(): Promise<void> {
		await Promise.all(
			names.map((name) =>
				this.served.untilLive(
					refOf(name),
					this.generations.get(name) ?? 0,
					this.connected.length,
				),
			),
		);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		for (const proxy of this.proxies) proxy.cut();
		await this.served[Symbol.asyncDispose]();
	}

	#act(
		taken: Exclude<Step, { readonly op: "change" | "turns" | "counted" }>,
		proxy: WireProxy | undefined,
	): void {
		if (proxy === undefined) return;
		switch (taken.op) {
			case "silence":
				proxy.manner = "silent";
				return;
			case "twice":
				proxy.speak();
				proxy.manner = "twice";
				return;
			case "speak":
				proxy.speak();
				return;
			case "cut":
				this.#cut(proxy, taken.hasTaken);
				return;
			case "connect":
				if (proxy.isConnected) return;
				proxy.connect();
				if (proxy.manner !== "silent") this.#fresh.add(proxy);
				return;
		}
	}

	#cut(proxy: WireProxy, hasTaken: boolean): void {
		this.#sure.delete(proxy);
		this.#fresh.delete(proxy);
		proxy.cut(hasTaken);
	}

	async #heard(): Promise<void> {
		const vocal = this.connected.filter(({ manner }) => manner !== "silent");
		await Promise.all(vocal.map((one) => one.until(({ isKnown }) => isKnown)));
		// Without anyone silent all are live before long, and then all count.
		if (vocal.length < this.connected.length) return;
		await this.allLive();
		for (const proxy of this.#fresh) this.#sure.add(proxy);
	}

	#check(ref: ObjectRef): void {
		const name = names.find((one) => one === ref.name);
		const programmed = this.served.programmed(ref);
		if (name === undefined || programmed?.status !== "True") return;
		const { observedGeneration } = programmed;
		for (const proxy of this.#sure) {
			this.checks += 1;
			if (this.#hasAtLeast(proxy, name, observedGeneration)) continue;
			this.lies.push(
				`${name} generation ${observedGeneration} was said to be live without ${proxy.workload}`,
			);
		}
	}

	#hasAtLeast(proxy: WireProxy, name: Name, generation: number): boolean {
		const newest = this.generations.get(name) ?? 0;
		for (let one = generation; one <= newest; one += 1) {
			if (proxy.has(markOf(name, one))) return true;
		}
		return false;
	}
}

describe("Programmed, over real streams", function () {
	this.timeout(60_000);

	it("is never true early, and always true in the end", async () => {
		let checks = 0;
		await fc.assert(
			fc.asyncProperty(
				fc.array(step, { minLength: 5, maxLength: 25 }),
				holdOff,
				holdOff,
				fc.infiniteStream(fc.boolean()),
				async (steps, build, status, coin) => {
					const served = await ServedObjects.start(
						new FastClock(20),
						{ build, status, progressMs: 100 },
						names.flatMap(objectsOf),
					);
					await using world = new World(served);
					await world.begin();
					for (const one of steps) await world.take(one);
					await world.end(() => coin.next().value === true);
					checks += world.checks;
					expect(world.lies).to.deep.equal([]);
				},
			),
			{ numRuns: 40 },
		);
		expect(checks).to.be.greaterThan(100);
	});
});
