import { expect } from "chai";
import type { ApiObject } from "../api/objects.ts";
import { parseObject } from "../api/parse-object.ts";
import { contentOf } from "./content-of.ts";
import type { KeptRefusal, LastGood } from "./last-good.ts";
import { mergeLastGood } from "./merge-last-good.ts";

/** The rule of this generation, which answers with its number. */
function form(generation: number, body = `${generation}`): ApiObject {
	const parsed = parseObject({
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name: "x", namespace: "shop", uid: "u", generation },
		spec: { destination: { name: "echo" }, respond: { status: 200, body } },
	});
	if (parsed.kind !== "object") throw new Error(JSON.stringify(parsed));
	return parsed.object;
}

const first = form(1);
const second = form(2);
const third = form(3);

function entry(fields: Partial<LastGood> = {}): LastGood {
	return {
		ref: { kind: "RouteRule", namespace: "shop", name: "x" },
		valid: second,
		proven: first,
		refusals: [],
		...fields,
	};
}

function refusal(of: ApiObject, software = "envoy 1.40.0"): KeptRefusal {
	return { content: contentOf(of), software, proxy: "shop/a", message: "no" };
}

describe("mergeLastGood", () => {
	it("leaves alone what says the same, whatever else differs", () => {
		expect(mergeLastGood(entry(), entry())).to.equal(undefined);
		const again = form(4, "2");
		expect(mergeLastGood(entry(), entry({ valid: again }))).to.equal(undefined);
		const refusals = [refusal(second)];
		expect(mergeLastGood(entry({ refusals }), entry({ refusals }))).to.equal(
			undefined,
		);
	});

	it("leaves alone what is newer, or better known", () => {
		const kept = entry({ valid: third, proven: second });
		expect(mergeLastGood(kept, entry())).to.equal(undefined);
		expect(mergeLastGood(kept, entry({ valid: undefined }))).to.equal(
			undefined,
		);
		expect(mergeLastGood(entry(), entry({ proven: undefined }))).to.equal(
			undefined,
		);
	});

	it("takes the newer valid form, and keeps the good one that only the other knew", () => {
		const taken = entry({ valid: third, proven: undefined });
		expect(mergeLastGood(entry(), taken)).to.deep.equal(
			entry({ valid: third, proven: first }),
		);
	});

	it("adds the good form that only who takes over knew", () => {
		const taken = entry({ proven: second });
		expect(mergeLastGood(entry(), taken)).to.deep.equal(taken);
		const nothing = entry({ valid: undefined, proven: undefined });
		expect(mergeLastGood(nothing, taken)).to.deep.equal(taken);
	});

	it("adds refusals of both", () => {
		const one = refusal(second);
		const other = refusal(second, "envoy 1.41.0");
		expect(
			mergeLastGood(entry({ refusals: [one] }), entry({ refusals: [other] }))
				?.refusals,
		).to.deep.equal([one, other]);
		const confirmed = { ...one, isConfirmed: true };
		expect(
			mergeLastGood(
				entry({ refusals: [one] }),
				entry({ refusals: [confirmed] }),
			)?.refusals,
		).to.deep.equal([confirmed]);
	});

	it("goes back to no form that either knows as refused", () => {
		const merged = mergeLastGood(
			entry({ valid: third, proven: second }),
			entry({ valid: third, proven: first, refusals: [refusal(second)] }),
		);
		expect(merged?.proven).to.equal(first);
	});

	it("forgets refusals once who takes over has seen the form accepted", () => {
		const kept = entry({ refusals: [refusal(second)] });
		const taken = entry({ proven: second });
		expect(mergeLastGood(kept, taken)).to.deep.equal(taken);
	});

	it("keeps who accepts what others refuse", () => {
		const refusals = [refusal(second)];
		const accepted = [{ content: contentOf(second), software: "envoy 1.41.0" }];
		expect(
			mergeLastGood(entry({ refusals }), entry({ refusals, accepted })),
		).to.deep.equal(entry({ refusals, accepted }));
		expect(
			mergeLastGood(entry({ refusals, accepted }), entry({ refusals })),
		).to.equal(undefined);
	});
});
