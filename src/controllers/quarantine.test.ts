import { expect } from "chai";
import fc from "fast-check";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import { parseObject } from "../api/parse-object.ts";
import { WritableSignal } from "../lib/signal.ts";
import type { MeshForms } from "../mesh/editions.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { emptyObjects } from "../store/empty-objects.ts";
import type { LastGood } from "../store/last-good.ts";
import { refKey } from "../store/ref-key.ts";
import { objectsFor } from "./held-forms.ts";
import { Quarantine } from "./quarantine.ts";
import type { Speaker, Verdict, Verdicts } from "./verdicts.ts";

/** A rule that says a word; words that begin with `bad` are refused by Envoy. */
function rule(name: string, word: string, generation = 1): ApiObject {
	const parsed = parseObject({
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name, namespace: "default", generation },
		spec: {
			destination: { name: "echo" },
			respond: { status: 200, body: word },
		},
	});
	if (parsed.kind !== "object") throw new Error(JSON.stringify(parsed));
	return parsed.object;
}

function wordOf(object: ApiObject): string {
	if (object.kind !== "RouteRule") throw new Error(object.kind);
	return String(object.spec.respond?.body);
}

function refTo(name: string): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name };
}

/** Words of rules by name. */
function wordsIn({ RouteRule }: Objects): Readonly<Record<string, string>> {
	return Object.fromEntries(
		[...RouteRule.values()]
			.map((one) => [one.metadata.name, wordOf(one)] as const)
			.sort(([a], [b]) => (a < b ? -1 : 1)),
	);
}

const everybody: Speaker = { software: "", proxy: "" };

interface SimulatedProxy {
	readonly software: string;
	readonly name: string;
	readonly refusesAll: boolean;
	/** It has no use for the virtual host, or is stuck. */
	readonly isSilent: boolean;
	/** Its words when it refuses. */
	readonly says: string;
}

/**
 * Proxies that all have one virtual host with every rule in it, and refuse it as
 * long as a word in it is bad for their software: `bad` for all, `bad-old` for
 * `old` alone.
 */
class World implements Verdicts {
	readonly clock = new TestClock();
	readonly raw = new WritableSignal<Objects>(emptyObjects());
	readonly kept = new Map<string, LastGood>();
	readonly quarantine: Quarantine;
	/** Versions of the virtual host that came into force. */
	readonly sent: string[] = [];
	/** Proxies that had an edition of their own. */
	readonly asked = new Set<string>();
	/** How often a proxy refused, by name. */
	readonly refusals = new Map<string, number>();
	readonly #allListed = new WritableSignal(false);
	/** What the mesh in force was built from. */
	#forms: MeshForms | undefined;
	#listener: (verdict: Verdict) => void = () => undefined;
	/** The newest first: it answers first. */
	#proxies: SimulatedProxy[] = [];
	readonly #accepted = new Set<string>();
	/** The version that each proxy has answered last; it is not sent twice. */
	readonly #answered = new Map<string, string>();

	constructor(remembered: readonly LastGood[] = []) {
		for (const one of remembered) this.kept.set(refKey(one.ref), one);
		this.quarantine = new Quarantine({
			inputs: {
				objects: this.raw,
				invalid: new WritableSignal(new Map()),
				allListed: this.#allListed,
				verdicts: this,
			},
			remembered,
			sink: {
				put: (entry) => void this.kept.set(refKey(entry.ref), entry),
				forget: (ref) => void this.kept.delete(refKey(ref)),
			},
			clock: this.clock,
			logger: silentLogger,
			metrics: new MetricsRegistry(),
		});
	}

	subscribe(listener: (verdict: Verdict) => void): () => void {
		this.#listener = listener;
		return () => undefined;
	}

	isCurrent(proxy: Speaker, version: string): boolean {
		return version === this.#versionFor(proxy);
	}

	carrying(proxy: Speaker): readonly { type: string; version: string }[] {
		return [{ type: "virtualHost", version: this.#versionFor(proxy) }];
	}

	hasAccepted(software: string, version: string): boolean {
		return this.#accepted.has(`${software} ${version}`);
	}

	connect(
		software: string,
		{
			name = "",
			refusesAll = false,
			isSilent = false,
			says = "it is bad",
		} = {},
	): void {
		const count = this.#proxies.filter((one) => one.software === software);
		const number = count.length === 0 ? "" : `-${count.length + 1}`;
		const proxy = `default/${name || `${software}${number}`}`;
		const simulated = { software, name: proxy, refusesAll, isSilent, says };
		this.#proxies.unshift(simulated);
		this.#listener({ op: "connected", software, proxy });
		this.run();
	}

	disconnect(name: string): void {
		const gone = this.#proxies.find((one) => one.name === `default/${name}`);
		if (gone === undefined) throw new Error(`no proxy ${name}`);
		this.#proxies = this.#proxies.filter((one) => one !== gone);
		this.#listener({ ...gone, op: "disconnected", proxy: gone.name });
		this.run();
	}

	/** Lets time pass, and what is due then happen. */
	pass(ms: number): void {
		this.clock.pass(ms);
		this.run();
	}

	/** Puts words of rules by name, or removes them; all in one change. */
	write(words: Readonly<Record<string, string | undefined>>): void {
		const rules = new Map(this.raw.value.RouteRule);
		for (const [name, word] of Object.entries(words)) {
			const key = `default/${name}`;
			const before = rules.get(key)?.metadata.generation ?? 0;
			const made =
				word === undefined ? undefined : rule(name, word, before + 1);
			if (made?.kind === "RouteRule") rules.set(key, made);
			else rules.delete(key);
		}
		this.raw.set({ ...this.raw.value, RouteRule: rules });
		this.#allListed.set(true);
		this.run();
	}

	/** Builds, sends and answers until nothing changes. */
	run(): void {
		for (let round = 0; round < 200; round += 1) {
			const before = this.quarantine.objects.value;
			const sent = this.#versionFor(everybody);
			this.#forms = this.quarantine.forms(before);
			for (const { proxies } of this.#forms.editions)
				for (const proxy of proxies) this.asked.add(proxy);
			const version = this.#versionFor(everybody);
			this.quarantine.built();
			if (version !== sent) this.sent.push(version);
			for (const proxy of this.#proxies)
				this.#answer(
					proxy,
					this.#versionFor({ software: proxy.software, proxy: proxy.name }),
				);
			if (this.quarantine.objects.value === before) return;
		}
		throw new Error("It never comes to rest.");
	}

	/** Words of the rules that take part, by name: for everybody, or for a software. */
	words(software = ""): Readonly<Record<string, string>> {
		const forms = this.quarantine.forms(this.quarantine.objects.value);
		return wordsIn(objectsFor(forms, { software, proxy: "" }));
	}

	held(): readonly string[] {
		return [...this.quarantine.heldBack.value.keys()].sort();
	}

	/** Software of which editions are made. */
	editions(): readonly (readonly string[])[] {
		const { editions } = this.quarantine.forms(this.quarantine.objects.value);
		return editions.map(({ software }) => [...software]);
	}

	#versionFor(proxy: Speaker): string {
		if (this.#forms === undefined) return "";
		return JSON.stringify(wordsIn(objectsFor(this.#forms, proxy)));
	}

	#answer(
		{ software, name, refusesAll, isSilent, says }: SimulatedProxy,
		version: string,
	): void {
		if (isSilent) return;
		if (this.#answered.get(name) === version) return;
		this.#answered.set(name, version);
		const words = JSON.parse(version) as Readonly<Record<string, string>>;
		const resource = {
			name: "echo",
			version,
			origins: Object.keys(words).map(refTo),
		};
		const isBad =
			refusesAll ||
			Object.values(words).some((word) =>
				word.startsWith("bad-")
					? word.startsWith(`bad-${software}`)
					: word.startsWith("bad"),
			);
		const type = "virtualHost";
		if (isBad) {
			this.refusals.set(name, (this.refusals.get(name) ?? 0) + 1);
			this.#listener({
				op: "refused",
				software,
				type,
				proxy: name,
				message: says,
				resources: [resource],
			});
			return;
		}
		this.#accepted.add(`${software} ${version}`);
		this.#listener({
			op: "accepted",
			software,
			proxy: name,
			type,
			resources: [resource],
		});
	}
}

describe("Quarantine", () => {
	it("blames the object that changed, and has its last good form take its place", () => {
		const world = new World();
		world.connect("new");
		world.write({ a: "one", b: "one" });
		world.write({ a: "bad" });
		expect(world.words()).to.deep.equal({ a: "one", b: "one" });
		expect([...world.quarantine.heldBack.value]).to.deep.equal([
			[
				"RouteRule/default/a",
				{
					generation: 2,
					inForceGeneration: 1,
					rejections: [{ proxy: "default/new", message: "it is bad" }],
				},
			],
		]);
	});

	it("leaves out what never had a good form", () => {
		const world = new World();
		world.connect("new");
		world.write({ b: "one" });
		world.write({ a: "bad" });
		expect(world.words()).to.deep.equal({ b: "one" });
		expect(
			world.quarantine.heldBack.value.get("RouteRule/default/a")
				?.inForceGeneration,
		).to.equal(undefined);
	});

	it("lets the mended form out at once, and forgets the refusal when it is accepted", () => {
		const world = new World();
		world.connect("new");
		world.write({ a: "one" });
		world.write({ a: "bad" });
		const before = world.sent.length;
		world.write({ a: "two" });
		expect(world.words()).to.deep.equal({ a: "two" });
		expect(world.sent.length).to.equal(before + 1);
		expect(world.held()).to.deep.equal([]);
		expect(world.kept.get("RouteRule/default/a")?.refusals).to.deep.equal([]);
	});

	it("lets other objects change meanwhile", () => {
		const world = new World();
		world.connect("new");
		world.write({ a: "one", b: "one" });
		world.write({ a: "bad" });
		world.write({ b: "two", c: "three" });
		expect(world.words()).to.deep.equal({ a: "one", b: "two", c: "three" });
		expect(world.held()).to.deep.equal(["RouteRule/default/a"]);
	});

	it("finds exactly the bad ones when many objects of one resource change together, within few responses", () => {
		fc.assert(
			fc.property(
				fc.array(fc.constantFrom("two", "two", "two", "bad"), {
					minLength: 1,
					maxLength: 24,
				}),
				fc.boolean(),
				(words, hadGoodForms) => {
					const world = new World();
					world.connect("new");
					const names = words.map((_, index) => `r${index}`);
					const first = Object.fromEntries(names.map((name) => [name, "one"]));
					if (hadGoodForms) world.write(first);
					const before = world.sent.length;
					const all = Object.fromEntries(
						words.map((word, index) => [`r${index}`, word]),
					);
					world.write(all);
					const bad = Object.keys(all).filter((name) => all[name] === "bad");
					expect(world.held()).to.deep.equal(
						bad.map((name) => `RouteRule/default/${name}`).sort(),
					);
					for (const [name, word] of Object.entries(all)) {
						const wanted =
							word !== "bad" ? word : hadGoodForms ? "one" : undefined;
						expect(world.words()[name]).to.equal(wanted);
					}
					const depth = Math.ceil(Math.log2(Math.max(2, words.length)));
					expect(world.sent.length - before).to.be.at.most(
						2 + bad.length * (2 * depth + 3),
					);
				},
			),
			{ numRuns: 100 },
		);
	});

	it("holds the bad one back from the start after a restart, and knows its last good form", () => {
		const world = new World();
		world.connect("new");
		world.write({ a: "one", b: "one" });
		world.write({ a: "bad" });
		const again = new World([...world.kept.values()]);
		again.write({ a: "bad", b: "one" });
		expect(again.words()).to.deep.equal({ a: "one", b: "one" });
		again.connect("new");
		expect(again.sent).to.have.length(1);
		again.write({ a: "two" });
		expect(again.words()).to.deep.equal({ a: "two", b: "one" });
	});

	it("blames the right one after a restart, although nobody has accepted the others in this process", () => {
		const world = new World();
		world.connect("new");
		world.write({ a: "one", b: "one", c: "one" });
		const again = new World([...world.kept.values()]);
		again.write({ a: "one", b: "bad", c: "one" });
		again.connect("new");
		expect(again.held()).to.deep.equal(["RouteRule/default/b"]);
		expect(again.words()).to.deep.equal({ a: "one", b: "one", c: "one" });
	});

	for (const order of [
		["old", "new"],
		["new", "old"],
	]) {
		it(`does not hold back what older proxies refuse and newer ones accept (${order.join(" answers after ")})`, () => {
			const world = new World();
			for (const software of order) world.connect(software);
			world.write({ a: "one" });
			world.write({ a: "bad-old" });
			world.pass(10_000);
			expect(world.words("new")).to.deep.equal({ a: "bad-old" });
			expect(world.words("old")).to.deep.equal({ a: "one" });
			expect(world.held()).to.deep.equal([]);
		});

		it(`lets everything else go on flowing to older proxies that refuse an object (${order.join(" answers after ")})`, () => {
			const world = new World();
			for (const software of order) world.connect(software);
			world.write({ a: "one", b: "one" });
			world.write({ a: "bad-old" });
			world.write({ b: "two", c: "one" });
			expect(world.words("new")).to.deep.equal({
				a: "bad-old",
				b: "two",
				c: "one",
			});
			expect(world.words("old")).to.deep.equal({
				a: "one",
				b: "two",
				c: "one",
			});
			expect(world.editions()).to.deep.equal([["old"]]);
			world.write({ a: "two" });
			expect(world.words("old")).to.deep.equal({
				a: "two",
				b: "two",
				c: "one",
			});
			expect(world.editions()).to.deep.equal([]);
		});
	}

	it("searches for what older proxies refuse without taking anything from the newer ones", () => {
		const world = new World();
		world.connect("old");
		world.connect("new");
		world.write({ a: "one", b: "one", c: "one", d: "one" });
		const before = world.sent.length;
		world.write({ a: "two", b: "two", c: "bad-old", d: "two" });
		world.pass(10_000);
		expect(world.words("old")).to.deep.equal({
			a: "two",
			b: "two",
			c: "one",
			d: "two",
		});
		expect(world.words("new")["c"]).to.equal("bad-old");
		expect(world.sent.length).to.equal(before + 1);
	});

	it("has the form that older proxies had, however often newer ones were given another since", () => {
		const world = new World();
		world.connect("old");
		world.connect("new");
		world.write({ a: "one", b: "one" });
		for (const word of ["bad-old-1", "bad-old-2", "bad-old-3"]) {
			world.write({ a: word });
			expect(world.words("new")).to.deep.equal({ a: word, b: "one" });
			expect(world.words("old")).to.deep.equal({ a: "one", b: "one" });
		}
	});

	it("ends an edition when the last proxy of its software has been gone for long, and makes it again when one comes back", () => {
		const world = new World();
		world.connect("old");
		world.connect("new");
		world.write({ a: "one" });
		world.write({ a: "bad-old" });
		world.disconnect("old");
		world.pass(60_000);
		expect(world.editions()).to.deep.equal([["old"]]);
		world.pass(600_000);
		expect(world.editions()).to.deep.equal([]);
		world.connect("old");
		expect(world.words("old")).to.deep.equal({ a: "one" });
		expect(world.words("new")).to.deep.equal({ a: "bad-old" });
	});

	it("has everybody's and the older proxies' form in force from the start after a restart", () => {
		const world = new World();
		world.connect("old");
		world.connect("new");
		world.write({ a: "one", b: "one" });
		world.write({ a: "bad-old" });
		const again = new World([...world.kept.values()]);
		again.write({ a: "bad-old", b: "one" });
		expect(again.words("old")).to.deep.equal({ a: "one", b: "one" });
		expect(again.words("new")).to.deep.equal({ a: "bad-old", b: "one" });
		again.connect("new");
		again.connect("old");
		again.pass(10_000);
		expect(again.sent).to.have.length(1);
		expect(again.refusals.size).to.equal(0);
	});

	it("makes a few editions for however many versions, none with what one of its software refuses", () => {
		const world = new World();
		const versions = ["v1", "v2", "v3", "v4", "v5", "v6"];
		world.connect("new");
		for (const one of versions) world.connect(one);
		const names = versions.map((one) => [one, "one"] as const);
		world.write({ ...Object.fromEntries(names), free: "one" });
		for (const one of versions) world.write({ [one]: `bad-${one}` });
		world.write({ free: "two" });
		world.pass(10_000);
		expect(world.editions()).to.have.length(4);
		for (const one of versions) {
			const words = world.words(one);
			expect(words[one]).to.equal("one");
			expect(words["free"]).to.equal("two");
		}
		expect(world.words("new")["v1"]).to.equal("bad-v1");
		expect(world.words("v6")["v1"]).to.equal("bad-v1");
	});

	it("gives every software what it accepts and nothing that it refuses, and the same after a restart", () => {
		const all = ["old", "mid", "new"];
		const word = fc.constantFrom("one", "two", "bad", "bad-old", "bad-mid");
		const change = fc.dictionary(fc.constantFrom("a", "b", "c"), word, {
			minKeys: 1,
		});
		fc.assert(
			fc.property(fc.array(change, { maxLength: 6 }), (changes) => {
				const world = new World();
				for (const software of all) world.connect(software);
				world.write({ a: "good", b: "good" });
				const raw: Record<string, string> = { a: "good", b: "good" };
				for (const one of changes) {
					world.write(one);
					world.pass(10_000);
					Object.assign(raw, one);
					for (const software of all) {
						const words = world.words(software);
						const isBad = (said = "") =>
							said === "bad" || said === `bad-${software}`;
						for (const name of Object.keys(raw)) {
							if (!isBad(raw[name])) expect(words[name]).to.equal(raw[name]);
							else expect(isBad(words[name])).to.equal(false);
						}
						for (const name of ["a", "b"]) expect(words).to.have.property(name);
					}
				}
				const again = new World([...world.kept.values()]);
				again.write(raw);
				for (const software of all)
					expect(again.words(software)).to.deep.equal(world.words(software));
			}),
			{ numRuns: 40 },
		);
	});

	describe("when one proxy alone has refused an object and others come", () => {
		/** Refuses everything, and has nobody beside it. */
		function withIll(): World {
			const world = new World();
			world.connect("new", { name: "ill", refusesAll: true });
			world.write({ a: "one" });
			expect(world.words()).to.deep.equal({});
			return world;
		}

		it("asks one that has settled, and lets the object out when that accepts it", () => {
			const world = withIll();
			const before = world.refusals.get("default/ill");
			world.connect("new", { name: "well" });
			expect(world.words("new")).to.deep.equal({});
			world.pass(4000);
			expect(world.words("new")).to.deep.equal({ a: "one" });
			expect(world.held()).to.deep.equal([]);
			expect(world.kept.get("RouteRule/default/a")?.refusals).to.deep.equal([]);
			world.pass(60_000);
			expect(world.words("new")).to.deep.equal({ a: "one" });
			expect(world.editions()).to.deep.equal([]);
			expect(world.refusals.get("default/ill")).to.be.at.most(
				(before ?? 0) + 1,
			);
		});

		it("asks nobody else when the next one refuses it, too, nor after a restart", () => {
			const world = new World();
			world.connect("new", { name: "one" });
			world.write({ a: "bad", b: "one" });
			const before = world.refusals.get("default/one");
			world.connect("new", { name: "two" });
			world.pass(4000);
			world.pass(4000);
			expect(world.refusals.get("default/one")).to.equal(before);
			expect(world.refusals.get("default/two")).to.equal(1);
			const [kept] = world.kept.get("RouteRule/default/a")?.refusals ?? [];
			expect(kept?.isConfirmed).to.equal(true);
			world.connect("new", { name: "three" });
			world.pass(60_000);
			expect(world.refusals.get("default/three")).to.equal(undefined);
			expect(world.held()).to.deep.equal(["RouteRule/default/a"]);

			const again = new World([...world.kept.values()]);
			again.write({ a: "bad", b: "one" });
			for (const name of ["one", "two", "three"])
				again.connect("new", { name });
			again.pass(60_000);
			expect(again.refusals.size).to.equal(0);
		});

		it("asks after a restart, too, what an earlier process heard from one alone", () => {
			const ill = withIll();
			const world = new World([...ill.kept.values()]);
			world.write({ a: "one" });
			world.connect("new", { name: "ill", refusesAll: true });
			world.pass(10_000);
			expect(world.words("new")).to.deep.equal({});
			world.connect("new", { name: "well" });
			world.pass(4000);
			expect(world.words("new")).to.deep.equal({ a: "one" });
		});

		it("asks a few at most, and waits for none forever", () => {
			const world = withIll();
			for (const name of ["p1", "p2", "p3", "p4", "p5"])
				world.connect("new", { name, isSilent: true });
			for (let second = 0; second < 120; second += 1) world.pass(1000);
			expect(world.asked.size).to.equal(3);
			expect(world.editions()).to.deep.equal([]);
		});
	});

	it("lets it out when newer proxies come that accept it", () => {
		const world = new World();
		world.connect("old");
		world.write({ a: "one" });
		world.write({ a: "bad-old" });
		expect(world.words()).to.deep.equal({ a: "one" });
		world.connect("new");
		expect(world.words()).to.deep.equal({ a: "bad-old" });
		world.clock.pass(10_000);
		world.run();
		expect(world.words()).to.deep.equal({ a: "bad-old" });
	});

	it("holds it back again when the newer proxies refuse it, too", () => {
		const world = new World();
		world.connect("old");
		world.write({ a: "one" });
		world.write({ a: "bad" });
		world.connect("new");
		world.clock.pass(10_000);
		world.run();
		expect(world.words()).to.deep.equal({ a: "one" });
		expect(world.held()).to.deep.equal(["RouteRule/default/a"]);
	});

	it("blames nobody for what one proxy alone refuses, even when it refuses everything", () => {
		const world = new World();
		world.connect("new");
		world.connect("new", { refusesAll: true });
		world.write({ a: "one", b: "one" });
		world.clock.pass(10_000);
		world.run();
		world.write({ a: "two" });
		world.clock.pass(10_000);
		world.run();
		expect(world.words()).to.deep.equal({ a: "two", b: "one" });
		expect(world.held()).to.deep.equal([]);
		const kept = world.kept.get("RouteRule/default/a");
		expect(kept?.refusals).to.deep.equal([]);
		expect(kept?.proven && wordOf(kept.proven)).to.equal("two");
	});

	it("holds back what all of several proxies refuse, after it has waited for a second opinion", () => {
		const world = new World();
		world.connect("new");
		world.connect("new");
		world.write({ a: "one", b: "one" });
		world.write({ a: "bad" });
		world.clock.pass(1000);
		world.run();
		expect(world.words()).to.deep.equal({ a: "one", b: "one" });
		expect(world.held()).to.deep.equal(["RouteRule/default/a"]);
	});

	it("blames nobody when a proxy cannot have an address", () => {
		const world = new World();
		world.connect("new", {
			says: "cannot bind '127.0.0.1:80': Address already in use",
		});
		world.write({ a: "bad" });
		expect(world.words()).to.deep.equal({ a: "bad" });
	});

	it("forgets what is deleted", () => {
		const world = new World();
		world.connect("new");
		world.write({ a: "bad" });
		world.write({ a: undefined });
		expect(world.held()).to.deep.equal([]);
		expect([...world.kept.keys()]).to.deep.equal([]);
	});

	it("forgets what was deleted while nobody ran", () => {
		const one = rule("a", "one");
		const world = new World([
			{ ref: refTo("a"), valid: one, proven: one, refusals: [] },
		]);
		expect([...world.kept.keys()]).to.have.length(1);
		world.write({});
		expect([...world.kept.keys()]).to.deep.equal([]);
	});

	it("hands on the same references while nothing is held back", () => {
		const world = new World();
		world.connect("new");
		world.write({ a: "one" });
		const objects = world.raw.value;
		expect(world.quarantine.forms(objects).objects).to.equal(objects);
		expect(world.quarantine.forms(objects).editions).to.deep.equal([]);
	});
});
