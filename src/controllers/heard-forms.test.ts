import { expect } from "chai";
import { routeRule } from "../../test/testkit/objects.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { RouteRule } from "../api/route-rule.ts";
import { silentLogger } from "../observability/logger.ts";
import { contentOf } from "../store/content-of.ts";
import type { LastGood } from "../store/last-good.ts";
import { ObjectStore } from "../store/object-store.ts";
import { HeardForms } from "./heard-forms.ts";
import { KnownObjects } from "./known-objects.ts";
import type { ToldForms } from "./told-forms.ts";

const ref: ObjectRef = {
	kind: "RouteRule",
	namespace: "default",
	name: "reviews",
};
const software = "envoy 1.40.0";

function rule(timeout: string): RouteRule {
	return routeRule("reviews", { timeout });
}

const good = rule("1s");
const newer = rule("2s");

function refused(form: RouteRule, by = software): ToldForms {
	return {
		accepted: [],
		refused: [
			{
				content: contentOf(form),
				software: by,
				proxy: "default/b",
				message: "no",
			},
		],
	};
}

function accepted(form: RouteRule, by = software): ToldForms {
	return {
		accepted: [{ content: contentOf(form), software: by }],
		refused: [],
	};
}

/** One replica that hears of others; what happens is written down. */
class World implements Disposable {
	readonly store = new ObjectStore(["memory"]);
	readonly kept: LastGood[] = [];
	readonly happened: string[] = [];
	#told: readonly ToldForms[] = [];
	#tell: (refs: Iterable<ObjectRef>) => void = () => undefined;
	readonly known = new KnownObjects(
		this.store,
		{
			put: (entry) => void this.kept.push(entry),
			forget: () => undefined,
		},
		[],
		() => undefined,
	);
	readonly heard = new HeardForms({
		others: {
			on: () => this.#told,
			subscribe: (listener) => {
				this.#tell = listener;
				return () => undefined;
			},
		},
		known: this.known,
		logger: silentLogger,
		changed: () => this.happened.push("changed"),
		proven: () => this.happened.push("proven"),
	});

	put(object: RouteRule): void {
		this.store.apply("memory", [{ op: "put", object }]);
		this.heard.look(ref);
	}

	tell(...told: readonly ToldForms[]): void {
		this.#told = told;
		this.#tell([ref]);
	}

	refusedBy(form: RouteRule): readonly string[] {
		return [...this.known.of(ref).refusals(contentOf(form)).keys()];
	}

	[Symbol.dispose](): void {
		this.heard[Symbol.dispose]();
	}
}

describe("HeardForms", () => {
	let world: World;

	beforeEach(() => {
		world = new World();
		world.put(good);
	});

	afterEach(() => world[Symbol.dispose]());

	it("takes the form that proxies elsewhere accept for the last good one, and has it kept", () => {
		world.tell(accepted(good));
		expect(world.happened).to.deep.equal(["proven"]);
		expect(world.kept.at(-1)?.proven).to.equal(good);
		world.tell(accepted(good));
		expect(world.happened).to.have.length(1);
	});

	it("holds back what proxies elsewhere refuse, and falls back to what they accepted", () => {
		world.tell(accepted(good));
		world.put(newer);
		world.tell(refused(newer));
		expect(world.happened).to.deep.equal(["proven", "changed"]);
		expect(world.refusedBy(newer)).to.deep.equal([software]);
		expect(world.known.of(ref).fallback(contentOf(newer))).to.equal(good);
		expect(world.kept.at(-1)).to.deep.include({ proven: good, valid: newer });
	});

	it("knows of a refusal before it knows the form itself", () => {
		world.tell(refused(newer));
		world.put(newer);
		expect(world.refusedBy(newer)).to.deep.equal([software]);
	});

	it("believes no refusal of what some proxy of the same software accepts elsewhere", () => {
		world.tell(refused(good), accepted(good));
		expect(world.refusedBy(good)).to.deep.equal([]);
	});

	it("believes no refusal of what proxies of the same software accept here", () => {
		const known = world.known.of(ref);
		known.accept(contentOf(good), software);
		known.prove(good);
		world.tell(refused(good));
		expect(world.refusedBy(good)).to.deep.equal([]);
	});

	it("believes one of other software, though proxies here accept it", () => {
		const known = world.known.of(ref);
		known.accept(contentOf(good), software);
		known.prove(good);
		world.tell(refused(good, "envoy 1.39.0"));
		expect(world.refusedBy(good)).to.deep.equal(["envoy 1.39.0"]);
	});

	it("takes a refusal back when a proxy of the same software accepts the form elsewhere", () => {
		world.tell(refused(good));
		world.tell(accepted(good));
		expect(world.refusedBy(good)).to.deep.equal([]);
		expect(world.happened).to.deep.equal(["changed", "changed"]);
	});

	it("keeps to a refusal when the replica that told it is gone", () => {
		world.tell(refused(good));
		world.tell();
		expect(world.refusedBy(good)).to.deep.equal([software]);
	});

	it("does not tell on what it was told", () => {
		world.tell(refused(good));
		expect(world.known.told.of(ref)).to.deep.equal({
			accepted: [],
			refused: [],
		});
		world.tell(accepted(good));
		expect(world.known.told.of(ref).accepted).to.deep.equal([]);
	});

	it("tells what proxies here accept and refuse", () => {
		const known = world.known.of(ref);
		known.accept(contentOf(good), software);
		known.prove(good);
		known.refuse(contentOf(newer), software, {
			proxy: "default/a",
			message: "no",
			resource: { type: "route", version: "1", wasProven: false },
		});
		expect(world.known.told.of(ref)).to.deep.equal({
			accepted: accepted(good).accepted,
			refused: [
				{
					content: contentOf(newer),
					software,
					proxy: "default/a",
					message: "no",
				},
			],
		});
	});

	it("takes another proxy that refuses the same for a second witness, and has that kept", () => {
		const witness = (): unknown => world.kept.at(-1)?.refusals[0]?.isConfirmed;
		world.known.of(ref).refuse(contentOf(good), software, {
			proxy: "default/b",
			message: "no",
			resource: undefined,
		});
		world.tell(refused(good));
		expect(witness()).to.equal(undefined);
		const [one] = refused(good).refused;
		if (one === undefined) throw new Error("Nothing is refused.");
		const told = { accepted: [], refused: [{ ...one, proxy: "default/c" }] };
		world.tell(told);
		expect(witness()).to.equal(true);
		const { length } = world.kept;
		world.tell(told);
		expect(world.kept).to.have.length(length);
		expect(world.happened).to.deep.equal([]);
	});

	it("takes two proxies elsewhere for two witnesses", () => {
		const [one] = refused(good).refused;
		if (one === undefined) throw new Error("Nothing is refused.");
		world.tell(refused(good), {
			accepted: [],
			refused: [{ ...one, proxy: "default/c" }],
		});
		expect(world.kept.at(-1)?.refusals[0]?.isConfirmed).to.equal(true);
		expect(world.happened).to.deep.equal(["changed"]);
	});
});
