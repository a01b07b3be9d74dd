import { expect } from "chai";
import fc from "fast-check";
import { decideEditions, type WithheldForms } from "./editions.ts";

function withheld(
	plan: Readonly<Record<string, Readonly<Record<string, string>>>>,
): ReadonlyMap<string, WithheldForms> {
	return new Map(
		Object.entries(plan).map(([software, forms]) => [
			software,
			new Map(Object.entries(forms)),
		]),
	);
}

function print(plan: ReturnType<typeof decideEditions>): readonly string[] {
	return plan.map(
		({ software, keys }) => `${software.join("+")}: ${[...keys].join()}`,
	);
}

describe("decideEditions", () => {
	it("makes none for software from which nothing is withheld", () => {
		expect(print(decideEditions(withheld({ one: {} }), 4))).to.deep.equal([]);
	});

	it("makes one for all software from which the same is withheld in the same forms", () => {
		const plan = decideEditions(
			withheld({
				one: { a: "x", b: "y" },
				two: { b: "y", a: "x" },
				three: { a: "x", b: "z" },
			}),
			4,
		);
		expect(print(plan)).to.deep.equal(["one+two: a,b", "three: a,b"]);
	});

	it("makes one of the oldest when there would be too many", () => {
		const plan = decideEditions(
			withheld({ one: { a: "" }, two: { b: "" }, three: { c: "" } }),
			2,
		);
		expect(print(plan)).to.deep.equal(["one+two: a,b", "three: c"]);
	});

	it("never makes too many, names each software once, and withholds from it all that it must not have", () => {
		const forms = fc.dictionary(
			fc.constantFrom("a", "b", "c"),
			fc.constantFrom("", "x"),
		);
		fc.assert(
			fc.property(
				fc.dictionary(fc.string({ minLength: 1, maxLength: 2 }), forms),
				fc.integer({ min: 1, max: 4 }),
				(given, max) => {
					const needed = withheld(given);
					const plans = decideEditions(needed, max);
					expect(plans.length).to.be.at.most(max);
					const named = plans.flatMap(({ software }) => software);
					const wanted = [...needed]
						.filter(([, keys]) => keys.size > 0)
						.map(([software]) => software);
					expect([...named].sort()).to.deep.equal([...wanted].sort());
					for (const { software, keys } of plans) {
						for (const one of software)
							expect([...keys]).to.include.members([
								...(needed.get(one)?.keys() ?? []),
							]);
					}
				},
			),
		);
	});
});
