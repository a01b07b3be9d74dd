import { expect } from "chai";
import { decideTrustBundles, type SeenCopy } from "./trust-bundle.ts";

const data = { "ca.crt": "new" };

function copy(over: Partial<SeenCopy> = {}): SeenCopy {
	return { data, isCopy: true, ...over };
}

describe("decideTrustBundles", () => {
	it("writes copies where there is none, or another, or somebody else's, in order", () => {
		expect(
			decideTrustBundles(
				data,
				new Set(["d", "b", "a", "c"]),
				new Map([
					["a", copy()],
					["b", copy({ data: { "ca.crt": "old" } })],
					["c", copy({ isCopy: false })],
				]),
			),
		).to.deep.equal({ apply: ["b", "c", "d"], remove: [] });
	});

	it("removes copies that nobody needs, and nothing else of that name", () => {
		expect(
			decideTrustBundles(
				data,
				new Set(),
				new Map([
					["b", copy()],
					["a", copy({ isCopy: false })],
				]),
			),
		).to.deep.equal({ apply: [], remove: ["b"] });
	});

	it("leaves everything as it is while there are no authorities", () => {
		expect(
			decideTrustBundles(undefined, new Set(["a"]), new Map([["b", copy()]])),
		).to.deep.equal({ apply: [], remove: [] });
	});
});
