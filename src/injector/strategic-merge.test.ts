import { expect } from "chai";
import fc from "fast-check";
import { strategicMerge } from "./strategic-merge.ts";

const pod = {
	spec: {
		containers: [
			{ name: "a", image: "a:1", env: [{ name: "X", value: "1" }] },
			{ name: "b", image: "b:1" },
		],
		tolerations: [{ key: "one" }],
	},
};

describe("strategicMerge", () => {
	it("merges lists of named things item by item, and adds what is new at the end", () => {
		const merged = strategicMerge(pod, {
			spec: {
				containers: [
					{ name: "c", image: "c:1" },
					{ name: "a", env: [{ name: "Y", value: "2" }] },
				],
			},
		});
		expect(merged)
			.to.have.nested.property("spec.containers")
			.deep.equal([
				{
					name: "a",
					image: "a:1",
					env: [
						{ name: "X", value: "1" },
						{ name: "Y", value: "2" },
					],
				},
				{ name: "b", image: "b:1" },
				{ name: "c", image: "c:1" },
			]);
	});

	it("replaces other lists as a whole", () => {
		expect(strategicMerge(pod, { spec: { tolerations: [{ key: "two" }] } }))
			.to.have.nested.property("spec.tolerations")
			.deep.equal([{ key: "two" }]);
	});

	it("takes out what is null, and items that are to be deleted", () => {
		expect(
			strategicMerge(pod, {
				spec: {
					tolerations: null,
					containers: [{ name: "a", $patch: "delete" }],
				},
			}),
		).to.deep.equal({ spec: { containers: [{ name: "b", image: "b:1" }] } });
	});

	it("puts an object in the place of another where it says so", () => {
		expect(
			strategicMerge(
				{ resources: { limits: { cpu: 1 } } },
				{ resources: { $patch: "replace", requests: { cpu: 1 } } },
			),
		).to.deep.equal({ resources: { requests: { cpu: 1 } } });
	});

	it("never throws, and merging the same again changes nothing", () => {
		const object = fc.dictionary(
			fc.constantFrom("containers", "env", "name", "$patch", "__proto__", "x"),
			fc.jsonValue() as fc.Arbitrary<unknown>,
			{ noNullPrototype: true },
		);
		const named = fc.record({
			containers: fc.uniqueArray(
				fc.record({ name: fc.constantFrom("a", "b", "c"), x: fc.nat(3) }),
				{ selector: ({ name }) => name },
			),
		});
		fc.assert(
			fc.property(fc.oneof(object, named), fc.oneof(object, named), (a, b) => {
				const once = strategicMerge(a, b);
				expect(strategicMerge(once, b)).to.deep.equal(once);
			}),
		);
	});
});
