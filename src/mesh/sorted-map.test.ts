import { expect } from "chai";
import fc from "fast-check";
import { changedKeys, patchSorted, replaceSorted } from "./sorted-map.ts";

const key = fc.constantFrom("a", "b", "c", "d", "e");
const values = [{}, {}, {}];
const item = fc.constantFrom(...values);
const entries = fc.array(fc.tuple(key, item)).map((list) => new Map(list));
const patch = fc
	.array(fc.tuple(key, fc.option(item, { nil: undefined })))
	.map((list) => new Map(list));

function sorted<V>(map: ReadonlyMap<string, V>): ReadonlyMap<string, V> {
	return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}

describe("patchSorted", () => {
	it("is the patched map in order of keys", () => {
		fc.assert(
			fc.property(entries, patch, (before, change) => {
				const want = new Map(before);
				for (const [k, v] of change) {
					if (v === undefined) want.delete(k);
					else want.set(k, v);
				}
				expect([...patchSorted(sorted(before), change)]).to.deep.equal([
					...sorted(want),
				]);
			}),
		);
	});

	it("is the same map when the patch changes nothing", () => {
		fc.assert(
			fc.property(entries, (map) => {
				const before = sorted(map);
				expect(patchSorted(before, map)).to.equal(before);
				expect(patchSorted(before, new Map([["z", undefined]]))).to.equal(
					before,
				);
			}),
		);
	});

	it("leaves the map before as it was", () => {
		const before = new Map([["a", {}]]);
		patchSorted(before, new Map([["a", {}]]));
		patchSorted(before, new Map([["b", {}]]));
		expect([...before.keys()]).to.deep.equal(["a"]);
	});
});

describe("replaceSorted", () => {
	it("holds exactly the new entries", () => {
		fc.assert(
			fc.property(entries, entries, (before, after) => {
				expect([...replaceSorted(sorted(before), after)]).to.deep.equal([
					...sorted(after),
				]);
			}),
		);
	});
});

describe("changedKeys", () => {
	it("are those whose values are not the same reference", () => {
		fc.assert(
			fc.property(entries, entries, (before, after) => {
				const all = new Set([...before.keys(), ...after.keys()]);
				const want = [...all].filter((k) => before.get(k) !== after.get(k));
				expect([...changedKeys(before, after)].sort()).to.deep.equal(
					want.sort(),
				);
			}),
		);
	});
});
