import { expect } from "chai";
import fc from "fast-check";
import type { StringMatch } from "./string-match.ts";
import { stringMatchImplies } from "./string-match-implies.ts";

const text = fc.string({ unit: fc.constantFrom("a", "A", "b"), maxLength: 3 });

const match: fc.Arbitrary<StringMatch> = fc.record({
	kind: fc.constantFrom("exact", "prefix", "suffix", "contains", "present"),
	value: text,
	not: fc.boolean(),
	ignoreCase: fc.boolean(),
});

/** What a match means, told without the code under test; an absent value meets only what is turned round. */
function meets(value: string | undefined, asked: StringMatch): boolean {
	const fold = (s: string) => (asked.ignoreCase ? s.toLowerCase() : s);
	const test = (): boolean => {
		if (value === undefined) return false;
		switch (asked.kind) {
			case "present":
				return true;
			case "exact":
				return fold(value) === fold(asked.value);
			case "prefix":
				return fold(value).startsWith(fold(asked.value));
			case "suffix":
				return fold(value).endsWith(fold(asked.value));
			case "contains":
				return fold(value).includes(fold(asked.value));
			case "regex":
				throw new Error("not generated");
		}
	};
	return test() !== asked.not;
}

describe("stringMatchImplies", () => {
	it("is never wrong when it says yes", () => {
		fc.assert(
			fc.property(
				match,
				match,
				fc.option(
					fc.string({ unit: fc.constantFrom("a", "A", "b"), maxLength: 5 }),
					{
						nil: undefined,
					},
				),
				(narrow, wide, value) => {
					fc.pre(meets(value, narrow) && stringMatchImplies(narrow, wide));
					expect(meets(value, wide)).to.equal(true);
				},
			),
			{ numRuns: 500 },
		);
	});
});
