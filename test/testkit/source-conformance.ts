import { expect } from "chai";
import type { Source } from "../../src/store/source.ts";
import { eventually } from "./eventually.ts";
import { type RunningSource, runSource } from "./running-source.ts";

/** A manifest as a person writes it. */
export interface WrittenManifest {
	readonly apiVersion: string;
	readonly kind: string;
	readonly metadata: { readonly name: string; readonly namespace: string };
	readonly spec: object;
}

/** The outside that a source reads, in the hands of a test. */
export interface Outside extends AsyncDisposable {
	/** A spec that is refused, and the path that is named: one that this outside takes from a writer. */
	readonly refused?: { readonly spec: object; readonly path: string };
	/** A source that starts from scratch. */
	source(): Source;
	/** Makes or replaces an object. */
	write(manifest: WrittenManifest): void | Promise<void>;
	/** Removes an object. */
	remove(name: string): void | Promise<void>;
}

function rule(name: string, spec: object = {}): WrittenManifest {
	return {
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name, namespace: "default" },
		spec: { destination: { name: "reviews" }, ...spec },
	};
}

const wrongType = { spec: { precedence: "high" }, path: "spec.precedence" };

function rules({ store }: RunningSource): readonly string[] {
	return [...store.objects.value.RouteRule.keys()].sort();
}

function precedence({ store }: RunningSource, name: string) {
	return store.objects.value.RouteRule.get(`default/${name}`)?.spec.precedence;
}

/** What every source does, wherever its objects come from. */
export function describeSource(
	name: string,
	open: () => Promise<Outside>,
): void {
	describe(`${name}, as a source`, () => {
		it("lists everything that is there, then says so once", async () => {
			await using outside = await open();
			await outside.write(rule("a"));
			await outside.write(rule("b"));
			await using running = runSource(outside.source());
			await eventually(() => expect(running.listings()).to.equal(1));
			expect(rules(running)).to.deep.equal(["default/a", "default/b"]);
			await outside.write(rule("c"));
			await eventually(() => expect(rules(running)).to.have.length(3));
			expect(running.listings()).to.equal(1);
		});

		it("lists an outside that is empty", async () => {
			await using outside = await open();
			await using running = runSource(outside.source());
			await eventually(() =>
				expect(running.store.allListed.value).to.equal(true),
			);
			expect(rules(running)).to.deep.equal([]);
		});

		it("brings changes, additions and deletions", async () => {
			await using outside = await open();
			await outside.write(rule("a", { precedence: 1 }));
			await using running = runSource(outside.source());
			await eventually(() => expect(precedence(running, "a")).to.equal(1));
			await outside.write(rule("a", { precedence: 2 }));
			await eventually(() => expect(precedence(running, "a")).to.equal(2));
			await outside.write(rule("b"));
			await eventually(() => expect(rules(running)).to.include("default/b"));
			await outside.remove("a");
			await eventually(() =>
				expect(rules(running)).to.deep.equal(["default/b"]),
			);
		});

		it("leaves the objects alone that did not change", async () => {
			await using outside = await open();
			await outside.write(rule("a"));
			await outside.write(rule("b", { precedence: 1 }));
			await using running = runSource(outside.source());
			await eventually(() => expect(rules(running)).to.have.length(2));
			const before = running.store.objects.value.RouteRule.get("default/a");
			await outside.write(rule("a"));
			await outside.write(rule("b", { precedence: 2 }));
			await eventually(() => expect(precedence(running, "b")).to.equal(2));
			expect(running.store.objects.value.RouteRule.get("default/a")).to.equal(
				before,
			);
		});

		it("keeps the last good form of a refused object, says why, and heals", async () => {
			await using outside = await open();
			await outside.write(rule("a", { precedence: 1 }));
			await using running = runSource(outside.source());
			await eventually(() => expect(precedence(running, "a")).to.equal(1));
			const { spec, path } = outside.refused ?? wrongType;
			await outside.write(rule("a", spec));
			const invalid = await eventually(() => {
				const found = running.store.invalid.value.get("RouteRule/default/a");
				expect(found).to.not.equal(undefined);
				return found;
			});
			expect(invalid?.violations[0]?.path).to.equal(path);
			expect(precedence(running, "a")).to.equal(1);
			await outside.write(rule("a", { precedence: 3 }));
			await eventually(() => expect(precedence(running, "a")).to.equal(3));
			expect(running.store.invalid.value.size).to.equal(0);
		});

		it("forgets a refused object that is removed", async () => {
			await using outside = await open();
			const { spec } = outside.refused ?? wrongType;
			await outside.write(rule("a", spec));
			await using running = runSource(outside.source());
			await eventually(() =>
				expect(running.store.invalid.value.size).to.equal(1),
			);
			await outside.remove("a");
			await eventually(() =>
				expect(running.store.invalid.value.size).to.equal(0),
			);
			expect(rules(running)).to.deep.equal([]);
		});

		it("finds the same again from scratch", async () => {
			await using outside = await open();
			await outside.write(rule("a"));
			await outside.write(rule("b", { precedence: 7 }));
			await using first = runSource(outside.source());
			await eventually(() => expect(first.listings()).to.equal(1));
			await first[Symbol.asyncDispose]();
			await using second = runSource(outside.source());
			await eventually(() => expect(second.listings()).to.equal(1));
			expect(second.store.objects.value).to.deep.equal(
				first.store.objects.value,
			);
		});

		it("stops when told, and brings nothing after", async () => {
			await using outside = await open();
			const running = runSource(outside.source());
			await eventually(() => expect(running.listings()).to.equal(1));
			await running[Symbol.asyncDispose]();
			const batches = running.batches();
			await outside.write(rule("late"));
			await using again = runSource(outside.source());
			await eventually(() => expect(rules(again)).to.have.length(1));
			expect(running.batches()).to.equal(batches);
		});
	});
}
