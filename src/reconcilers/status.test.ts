import { expect } from "chai";
import fc from "fast-check";
import { noDistribution } from "../../test/testkit/memory-distribution.ts";
import {
	conditionOf,
	conditionTypes,
	type ObjectStatus,
} from "../api/status.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Distribution } from "./distribution.ts";
import { statusReasons } from "./reasons.ts";
import { decideStatus, type SeenObject } from "./status.ts";

const ref = { kind: "RouteRule", namespace: "default", name: "reviews" };

function spread(fields: Partial<Distribution>): Distribution {
	return { ...noDistribution, ...fields };
}

const everywhere = spread({ total: 3, acknowledged: 3 });

const live: SeenObject = {
	ref,
	generation: 5,
	violations: [],
	goodGeneration: 5,
	isBuilt: true,
	buildFailure: undefined,
	findings: [],
	distribution: everywhere,
	heldBack: undefined,
	previous: undefined,
};

function finding(
	condition: Finding["condition"],
	reason: Finding["reason"],
	message = "Something is so.",
): Finding {
	return { about: ref, condition, reason, path: "spec.route[0]", message };
}

const violation = {
	path: "spec.route[0].weight",
	message: "Must be at least 0.",
};

/** `status/reason` of each condition. */
function summary(status: ObjectStatus): readonly string[] {
	return status.conditions.map((one) => `${one.status}/${one.reason}`);
}

function messageOf(seen: SeenObject, type: (typeof conditionTypes)[number]) {
	return conditionOf(decideStatus(seen, 0), type)?.message ?? "";
}

describe("decideStatus", () => {
	const cases: readonly {
		readonly name: string;
		readonly seen: Partial<SeenObject>;
		readonly want: readonly [string, string, string, string];
	}[] = [
		{
			name: "is ready when every proxy that needs the object has it",
			seen: {},
			want: ["True/Accepted", "True/Resolved", "True/Programmed", "True/Ready"],
		},
		{
			name: "is ready when nobody needs the object, and says so",
			seen: { distribution: noDistribution },
			want: ["True/Accepted", "True/Resolved", "True/NoProxies", "True/Ready"],
		},
		{
			name: "waits for a replica that serves an older generation, though every proxy has acknowledged what it was sent",
			seen: {
				distribution: {
					...everywhere,
					behind: [{ replica: "b", generation: 4 }],
				},
			},
			want: [
				"True/Accepted",
				"True/Resolved",
				"False/Distributing",
				"False/Distributing",
			],
		},
		{
			name: "waits for the proxies that have not acknowledged",
			seen: {
				distribution: spread({ total: 3, acknowledged: 2, missing: ["a"] }),
			},
			want: [
				"True/Accepted",
				"True/Resolved",
				"False/Distributing",
				"False/Distributing",
			],
		},
		{
			name: "tells of a rejection before it tells of those that are missing",
			seen: {
				distribution: spread({
					total: 3,
					acknowledged: 1,
					rejected: 1,
					missing: ["a"],
					rejections: [{ proxy: "b", message: "no" }],
				}),
			},
			want: [
				"True/Accepted",
				"True/Resolved",
				"False/Rejected",
				"False/Rejected",
			],
		},
		{
			name: "tells of a rejection also when all have the last good form",
			seen: {
				distribution: spread({
					total: 3,
					acknowledged: 3,
					rejected: 1,
					rejections: [{ proxy: "b", message: "no" }],
					generation: 4,
				}),
			},
			want: [
				"True/Accepted",
				"True/Resolved",
				"False/Rejected",
				"False/Rejected",
			],
		},
		{
			name: "is unknown while proxies are given an older generation",
			seen: { distribution: { ...everywhere, generation: 4 } },
			want: [
				"True/Accepted",
				"True/Resolved",
				"Unknown/Pending",
				"Unknown/Pending",
			],
		},
		{
			name: "is unknown while the newest form is not built, whatever proxies have",
			seen: { isBuilt: false },
			want: [
				"Unknown/Pending",
				"Unknown/Pending",
				"Unknown/Pending",
				"Unknown/Pending",
			],
		},
		{
			name: "says that the newest objects cannot be built",
			seen: { isBuilt: false, buildFailure: "x is not a function" },
			want: [
				"Unknown/BuildFailed",
				"Unknown/BuildFailed",
				"Unknown/BuildFailed",
				"Unknown/BuildFailed",
			],
		},
		{
			name: "says of a refused object how its last good form does",
			seen: { generation: 6, violations: [violation] },
			want: [
				"False/Invalid",
				"True/Resolved",
				"True/Programmed",
				"False/Invalid",
			],
		},
		{
			name: "knows no more of a refused object without a good form",
			seen: {
				violations: [violation],
				goodGeneration: undefined,
				distribution: noDistribution,
			},
			want: [
				"False/Invalid",
				"Unknown/NotInForce",
				"Unknown/NotInForce",
				"False/Invalid",
			],
		},
		{
			name: "is not resolved when something that is named does not exist",
			seen: { findings: [finding("ResolvedRefs", "DestinationNotFound")] },
			want: [
				"True/Accepted",
				"False/DestinationNotFound",
				"True/Programmed",
				"False/DestinationNotFound",
			],
		},
		{
			name: "is not accepted when another object owns what it claims",
			seen: { findings: [finding("Accepted", "Conflict")] },
			want: [
				"False/Conflict",
				"True/Resolved",
				"True/Programmed",
				"False/Conflict",
			],
		},
		{
			name: "is not live when another rule shadows it, though all proxies agree",
			seen: { findings: [finding("Programmed", "Shadowed")] },
			want: [
				"True/Accepted",
				"True/Resolved",
				"False/Shadowed",
				"False/Shadowed",
			],
		},
		{
			name: "is refused while its newest form is kept out of the mesh, whatever proxies have of an older one",
			seen: {
				isBuilt: false,
				heldBack: {
					generation: 5,
					inForceGeneration: 4,
					rejections: [{ proxy: "a", message: "no" }],
				},
			},
			want: [
				"True/Accepted",
				"True/Resolved",
				"False/Rejected",
				"False/Rejected",
			],
		},
		{
			name: "is unknown while it is kept out and nobody knows yet who is to blame",
			seen: {
				isBuilt: false,
				heldBack: {
					generation: 5,
					inForceGeneration: undefined,
					rejections: [],
				},
			},
			want: [
				"True/Accepted",
				"Unknown/NotInForce",
				"Unknown/Pending",
				"Unknown/NotInForce",
			],
		},
		{
			name: "takes what is wrong before what is unknown as the summary",
			seen: {
				findings: [finding("ResolvedRefs", "SubsetEmpty")],
				distribution: { ...everywhere, generation: 4 },
			},
			want: [
				"True/Accepted",
				"False/SubsetEmpty",
				"Unknown/Pending",
				"False/SubsetEmpty",
			],
		},
	];
	for (const { name, seen, want } of cases)
		it(name, () => {
			expect(summary(decideStatus({ ...live, ...seen }, 0))).to.deep.equal(
				want,
			);
		});

	it("says which generation each condition is about", () => {
		const status = decideStatus(
			{ ...live, generation: 6, violations: [violation] },
			0,
		);
		expect(status.observedGeneration).to.equal(6);
		expect(
			status.conditions.map(({ observedGeneration }) => observedGeneration),
		).to.deep.equal([6, 5, 5, 6]);
	});

	it("lists every violation, and what stays in force", () => {
		const seen = {
			...live,
			generation: 6,
			violations: [violation, { path: "", message: "It has no spec" }],
		};
		expect(messageOf(seen, "Accepted")).to.equal(
			"Generation 6 is refused: spec.route[0].weight: Must be at least 0. It has no spec. Generation 5 of the object stays in force.",
		);
		expect(
			messageOf({ ...seen, goodGeneration: undefined }, "Accepted"),
		).to.include("nothing of it is in force");
	});

	it("names at most three proxies that are missing, and counts the others", () => {
		const seen = {
			...live,
			distribution: spread({
				total: 9,
				acknowledged: 2,
				missing: ["a", "b", "c", "d"],
			}),
		};
		expect(messageOf(seen, "Programmed")).to.equal(
			"2 of 9 proxies that need the object have acknowledged generation 5; it waits for a, b, c and 4 more.",
		);
	});

	it("quotes the proxy that refused, and says what stays in force", () => {
		const seen = {
			...live,
			distribution: spread({
				total: 2,
				acknowledged: 1,
				rejected: 1,
				rejections: [
					{ proxy: "default/a", message: "Error:\n  unknown\tfield" },
				],
			}),
		};
		expect(messageOf(seen, "Programmed")).to.equal(
			"1 of 2 proxies refused generation 5. default/a says: Error: unknown field. What these proxies had before stays in force there.",
		);
		expect(
			messageOf(
				{ ...seen, distribution: { ...seen.distribution, generation: 4 } },
				"Programmed",
			),
		).to.include("Generation 4 of the object stays in force.");
	});

	it("says which form is in force while a newer one is kept out", () => {
		const seen = {
			...live,
			isBuilt: false,
			heldBack: {
				generation: 5,
				inForceGeneration: 4,
				rejections: [{ proxy: "default/a", message: "unknown field" }],
			},
		};
		const status = decideStatus(seen, 0);
		expect(messageOf(seen, "Programmed")).to.equal(
			"1 of 3 proxies refused generation 5. default/a says: unknown field. Generation 4 of the object stays in force.",
		);
		expect(conditionOf(status, "ResolvedRefs")?.observedGeneration).to.equal(4);
		expect(status.proxies).to.deep.equal({
			total: 3,
			acknowledged: 0,
			rejected: 1,
		});
		expect(
			messageOf(
				{ ...seen, generation: 6, violations: [violation] },
				"Accepted",
			),
		).to.include("Generation 4 of the object stays in force.");
	});

	it("takes no form of an earlier process for the newest generation", () => {
		const kept = { ...live, generation: 1, goodGeneration: 5 };
		const refused = decideStatus({ ...kept, violations: [violation] }, 0);
		const message = "from before the server started, stays in force.";
		expect(
			refused.conditions.map(({ observedGeneration }) => observedGeneration),
		).to.deep.equal([1, 0, 0, 1]);
		expect(refused.conditions[0]?.message).to.include(message);
		expect(refused.conditions[2]?.message).to.include(
			"The last good form is live",
		);
		const heldBack = {
			generation: 1,
			inForceGeneration: 5,
			rejections: [{ proxy: "a", message: "no" }],
		};
		const held = decideStatus({ ...kept, goodGeneration: 1, heldBack }, 0);
		expect(held.conditions[1]?.observedGeneration).to.equal(0);
		expect(held.conditions[2]?.message).to.include(message);
	});

	it("counts no acknowledgement of another form", () => {
		const pending = decideStatus({ ...live, isBuilt: false }, 0);
		expect(pending.proxies).to.deep.equal({
			total: 3,
			acknowledged: 0,
			rejected: 0,
		});
	});

	it("keeps the time of a transition until the status changes", () => {
		const first = decideStatus(live, 1000);
		const waiting = decideStatus(
			{
				...live,
				distribution: spread({ total: 4, acknowledged: 3, missing: ["d"] }),
				previous: first,
			},
			2000,
		);
		const rejected = decideStatus(
			{
				...live,
				distribution: spread({ total: 4, acknowledged: 3, rejected: 1 }),
				previous: waiting,
			},
			3000,
		);
		const timesOf = (status: ObjectStatus) =>
			status.conditions.map(({ lastTransitionMs }) => lastTransitionMs);
		expect(timesOf(waiting)).to.deep.equal([1000, 1000, 2000, 2000]);
		expect(timesOf(rejected)).to.deep.equal([1000, 1000, 2000, 2000]);
	});

	const seenObjects: fc.Arbitrary<SeenObject> = fc
		.record({
			violations: fc.array(
				fc.record({
					path: fc.string(),
					message: fc.string({ maxLength: 900 }),
				}),
				{ maxLength: 30 },
			),
			good: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
			isBuilt: fc.boolean(),
			failure: fc.option(fc.string({ maxLength: 9000 }), { nil: undefined }),
			conditions: fc.array(
				fc.constantFrom("Accepted", "ResolvedRefs", "Programmed" as const),
				{ maxLength: 20 },
			),
			total: fc.nat(5),
			acknowledged: fc.nat(5),
			rejected: fc.nat(2),
			words: fc.array(fc.string({ maxLength: 9000 }), { maxLength: 4 }),
			made: fc.option(fc.integer({ min: 1, max: 5 }), { nil: undefined }),
		})
		.map((some) => ({
			...live,
			violations: some.violations,
			generation: some.violations.length > 0 ? 6 : (some.good ?? 1),
			goodGeneration: some.violations.length > 0 ? some.good : (some.good ?? 1),
			isBuilt: some.isBuilt,
			buildFailure: some.failure,
			findings: some.conditions.map((one) =>
				finding(one as Finding["condition"], "Unusable", "x".repeat(700)),
			),
			distribution: spread({
				total: some.total,
				acknowledged: Math.min(some.acknowledged, some.total),
				rejected: some.rejected,
				rejections: some.words.map((message) => ({ proxy: "a", message })),
				generation: some.made,
			}),
		}));

	it("is live only when built, everywhere, refused by nobody and of this generation", () => {
		fc.assert(
			fc.property(seenObjects, (seen) => {
				const status = decideStatus(seen, 0);
				const programmed = conditionOf(status, "Programmed");
				const { distribution, goodGeneration } = seen;
				const isTrue =
					goodGeneration !== undefined &&
					seen.isBuilt &&
					distribution.acknowledged === distribution.total &&
					distribution.rejected + distribution.rejections.length === 0 &&
					(distribution.generation ?? goodGeneration) === goodGeneration &&
					!seen.findings.some(({ condition }) => condition === "Programmed");
				expect(programmed?.status === "True").to.equal(isTrue);
				expect(conditionOf(status, "Ready")?.status === "True").to.equal(
					status.conditions.slice(0, 3).every((one) => one.status === "True"),
				);
			}),
		);
	});

	it("always gives all four conditions a known reason and a bounded message", () => {
		fc.assert(
			fc.property(seenObjects, (seen) => {
				const { conditions } = decideStatus(seen, 0);
				expect(conditions.map(({ type }) => type)).to.deep.equal([
					...conditionTypes,
				]);
				for (const { reason, message, observedGeneration } of conditions) {
					expect(statusReasons).to.have.property(reason);
					expect(message.length).to.be.within(1, 4096);
					expect(message.isWellFormed()).to.equal(true);
					expect(observedGeneration).to.be.at.least(0);
				}
			}),
		);
	});
});
