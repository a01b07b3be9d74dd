import { expect } from "chai";
import fc from "fast-check";
import { SharedBases, SharedMap } from "./shared-map.ts";

function filled(
	bases: SharedBases<string>,
	entries: readonly (readonly [string, string])[],
): SharedMap<string> {
	const map = new SharedMap(bases);
	for (const [name, value] of entries) map.set(name, value);
	map.share();
	return map;
}

const thousand = Array.from(
	{ length: 1000 },
	(_, index) => [`name-${index}`, `value-${index}`] as const,
);

describe("SharedMap", () => {
	it("answers what a map of its own would, whatever is shared meanwhile", () => {
		const name = fc.integer({ min: 0, max: 150 }).map((n) => `n${n}`);
		const value = fc.integer({ min: 0, max: 2 }).map((n) => `v${n}`);
		const one = fc.oneof(
			fc.record({ op: fc.constant("set" as const), name, value }),
			fc.record({ op: fc.constant("delete" as const), name }),
			fc.record({ op: fc.constant("all" as const), value }),
			fc.record({ op: fc.constant("share" as const) }),
			fc.record({
				op: fc.constantFrom("fill" as const, "adopt" as const),
				from: fc.integer({ min: 0, max: 5 }),
				value,
			}),
			fc.record({ op: fc.constant("clear" as const) }),
		);
		const step = fc.tuple(fc.integer({ min: 0, max: 2 }), one);
		fc.assert(
			fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
				const bases = new SharedBases<string>();
				const all = new Map<string, ReadonlyMap<string, string>>();
				const unchanging = (from: number, value: string) => {
					const key = `${from} ${value}`;
					const names = Array.from({ length: 70 }, (_, n) => `n${from + n}`);
					const known =
						all.get(key) ?? new Map(names.map((name) => [name, value]));
					all.set(key, known);
					return known;
				};
				const maps = [0, 1, 2].map(() => new SharedMap(bases));
				const models = [0, 1, 2].map(() => new Map<string, string>());
				for (const [which, change] of steps) {
					const map = maps[which];
					const model = models[which];
					if (map === undefined || model === undefined) continue;
					switch (change.op) {
						case "set":
							expect(map.set(change.name, change.value)).to.equal(
								model.get(change.name),
							);
							model.set(change.name, change.value);
							break;
						case "delete":
							expect(map.delete(change.name)).to.equal(model.get(change.name));
							model.delete(change.name);
							break;
						case "all":
							for (let n = 0; n < 130; n++) {
								map.set(`n${n}`, change.value);
								model.set(`n${n}`, change.value);
							}
							break;
						case "share":
							map.share();
							break;
						case "clear":
							map.clear();
							model.clear();
							break;
						case "fill":
						case "adopt": {
							map.clear();
							model.clear();
							const entries = unchanging(change.from, change.value);
							map[change.op](entries);
							for (const [name, value] of entries) model.set(name, value);
						}
					}
				}
				for (const [which, map] of maps.entries()) {
					const model = models[which] ?? new Map();
					expect(map.size).to.equal(model.size);
					for (const other of all.values()) {
						expect(map.includesAll(other)).to.equal(
							[...other.keys()].every((name) => model.has(name)),
						);
						expect(map.lacking(other)).to.have.members(
							[...other]
								.filter(([name, value]) => model.get(name) !== value)
								.map(([name]) => name),
						);
					}
					expect(new Map(map.entries())).to.deep.equal(model);
					expect([...map.keys()]).to.have.members([...model.keys()]);
					expect([...map.values()]).to.have.members([...model.values()]);
					for (let n = 0; n <= 150; n++) {
						expect(map.get(`n${n}`)).to.equal(model.get(`n${n}`));
						expect(map.has(`n${n}`)).to.equal(model.has(`n${n}`));
					}
				}
			}),
		);
	});

	it("keeps for itself only what others do not have", () => {
		const bases = new SharedBases<string>();
		filled(bases, thousand);
		const other = filled(bases, [...thousand.slice(2), ["mine", "x"]]);

		expect(other.size).to.equal(999);
		expect(other.ownSize).to.equal(3);
		expect(other.has("name-0")).to.equal(false);
		expect(other.get("name-999")).to.equal("value-999");
	});

	it("meets again with maps that have changed alike", () => {
		const bases = new SharedBases<string>();
		const maps = [
			filled(bases, thousand),
			filled(bases, [...thousand, ["mine", "x"]]),
		];
		for (const map of maps) {
			for (let n = 0; n < 100; n++) map.set(`name-${n}`, "changed");
			map.delete("name-500");
			map.share();
		}

		expect(maps.map(({ ownSize }) => ownSize)).to.deep.equal([0, 1]);
		expect(maps.map(({ size }) => size)).to.deep.equal([999, 1000]);
		expect(maps[1]?.get("mine")).to.equal("x");
		expect(maps[1]?.get("name-99")).to.equal("changed");
		expect(maps[1]?.has("name-500")).to.equal(false);
	});

	it("becomes a map that never changes, and shares it", () => {
		const bases = new SharedBases<string>();
		filled(bases, thousand);
		const map = new SharedMap(bases);
		map.fill(new Map([["mine", "x"], ...thousand]));

		expect(map.ownSize).to.equal(1);
		expect(map.size).to.equal(1001);
		expect(() => map.fill(new Map())).to.throw("Only an empty map");
	});

	it("is undisturbed by what happens to others with the same base", () => {
		const bases = new SharedBases<string>();
		const one = filled(bases, thousand);
		const other = filled(bases, thousand);
		one.set("name-0", "changed");
		one.delete("name-1");

		expect(other.get("name-0")).to.equal("value-0");
		expect(other.get("name-1")).to.equal("value-1");
		expect(other.size).to.equal(1000);
	});
});
