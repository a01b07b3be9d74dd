import { expect } from "chai";
import { noDistribution } from "../../test/testkit/memory-distribution.ts";
import type { ObjectStatus } from "../api/status.ts";
import { decideStatus, type SeenObject } from "./status.ts";
import { decideEvents, type StatusChange } from "./status-events.ts";

const seen: SeenObject = {
	ref: { kind: "RouteRule", namespace: "default", name: "reviews" },
	generation: 2,
	violations: [],
	goodGeneration: 2,
	isBuilt: true,
	buildFailure: undefined,
	findings: [],
	distribution: noDistribution,
	heldBack: undefined,
	previous: undefined,
};

function status(fields: Partial<SeenObject> = {}): ObjectStatus {
	return decideStatus({ ...seen, ...fields }, 0);
}

const good = status();
const bad = status({ violations: [{ path: "spec", message: "No." }] });
const a = { proxy: "a", message: "no\nway" };
const b = { proxy: "b", message: "no" };

describe("decideEvents", () => {
	const quiet: StatusChange = {
		previous: good,
		next: good,
		rejectionsBefore: [],
		rejections: [],
	};
	const cases: readonly {
		readonly name: string;
		readonly change: Partial<StatusChange>;
		readonly want: readonly string[];
	}[] = [
		{ name: "says nothing of progress", change: {}, want: [] },
		{
			name: "says nothing of a good object at its start",
			change: { previous: undefined },
			want: [],
		},
		{
			name: "warns of a refused object",
			change: { next: bad },
			want: ["Warning Invalid"],
		},
		{
			name: "warns of an object that is refused from the start",
			change: { previous: undefined, next: bad },
			want: ["Warning Invalid"],
		},
		{
			name: "warns once of the same refusal",
			change: { previous: bad, next: bad },
			want: [],
		},
		{
			name: "tells that an object is mended",
			change: { previous: bad },
			want: ["Normal Mended"],
		},
		{
			name: "warns of each proxy that refuses",
			change: { rejections: [a, b] },
			want: ["Warning Rejected", "Warning Rejected"],
		},
		{
			name: "warns of a further proxy alone",
			change: { rejectionsBefore: [a], rejections: [a, b] },
			want: ["Warning Rejected"],
		},
		{
			name: "tells when nobody refuses any more",
			change: { rejectionsBefore: [a] },
			want: ["Normal Recovered"],
		},
	];
	for (const { name, change, want } of cases)
		it(name, () => {
			const events = decideEvents({ ...quiet, ...change });
			expect(
				events.map(({ type, reason }) => `${type} ${reason}`),
			).to.deep.equal(want);
		});

	it("has the proxy's name and its words in the message", () => {
		const [event] = decideEvents({ ...quiet, rejections: [a] });
		expect(event?.message).to.equal("a refused it: no way");
		expect(event?.about).to.deep.equal(seen.ref);
	});
});
