import { expect } from "chai";
import fc from "fast-check";
import type { ReportedObject } from "../api/proxy-report.ts";
import type { Distribution } from "./distribution.ts";
import {
	decideReport,
	isSettled,
	mergeReports,
	type OtherReplica,
	reportShards,
	shardOf,
} from "./proxy-report.ts";

const nobody: Distribution = {
	total: 0,
	acknowledged: 0,
	rejected: 0,
	missing: [],
	rejections: [],
	generation: undefined,
};

const object = { uid: "u1", generation: 5 };

function entry(fields: Partial<ReportedObject> = {}): ReportedObject {
	return {
		uid: "u1",
		generation: 5,
		withheld: 0,
		total: 2,
		acknowledged: 2,
		rejected: 0,
		missing: [],
		rejections: [],
		accepted: [],
		refused: [],
		...fields,
	};
}

function other(
	fields: Partial<ReportedObject> | undefined,
	name = "b",
): OtherReplica {
	return { name, entry: fields && entry(fields) };
}

describe("mergeReports", () => {
	const cases: readonly {
		readonly name: string;
		readonly own?: Partial<Distribution>;
		readonly object?: typeof object | { uid: string; generation: undefined };
		readonly others: readonly OtherReplica[];
		readonly want: Partial<Distribution>;
	}[] = [
		{
			name: "is what the own proxies say when there is no other replica",
			own: { total: 3, acknowledged: 2, missing: ["a"] },
			others: [],
			want: { total: 3, acknowledged: 2, missing: ["a"] },
		},
		{
			name: "adds what proxies of others have",
			own: { total: 3, acknowledged: 3 },
			others: [other({}), other({ total: 4, acknowledged: 1 }, "c")],
			want: { total: 9, acknowledged: 6 },
		},
		{
			name: "waits for a replica that serves an older generation, and does not count its acknowledgements",
			own: { total: 1, acknowledged: 1 },
			others: [other({ generation: 4 })],
			want: {
				total: 3,
				acknowledged: 1,
				behind: [{ replica: "b", generation: 4 }],
			},
		},
		{
			name: "waits for a replica without proxies, too: the next proxy may come to it",
			others: [other({ generation: 4, total: 0, acknowledged: 0 })],
			want: { behind: [{ replica: "b", generation: 4 }] },
		},
		{
			name: "waits for a replica that does not know the object",
			others: [other(undefined)],
			want: { total: 0, behind: [{ replica: "b", generation: undefined }] },
		},
		{
			name: "takes a report on an earlier object of the same name for none",
			others: [other({ uid: "u0" })],
			want: { total: 0, behind: [{ replica: "b", generation: undefined }] },
		},
		{
			name: "takes a newer generation for one that has this one's successor",
			own: { total: 1, acknowledged: 1 },
			others: [other({ generation: 6 })],
			want: { total: 3, acknowledged: 3 },
		},
		{
			name: "waits for nobody while no form of the object is served",
			object: { uid: "u1", generation: undefined },
			others: [other(undefined)],
			want: { total: 0, acknowledged: 0 },
		},
		{
			name: "tells refusals of all, the own ones first",
			own: {
				total: 1,
				rejected: 1,
				rejections: [{ proxy: "n/a", message: "no" }],
			},
			others: [
				other({
					acknowledged: 0,
					rejected: 2,
					rejections: [{ proxy: "n/b", message: "never" }],
				}),
			],
			want: {
				total: 3,
				rejected: 3,
				rejections: [
					{ proxy: "n/a", message: "no" },
					{ proxy: "n/b", message: "never" },
				],
			},
		},
		{
			name: "says that a replica keeps this generation from its proxies because they refuse it",
			own: { total: 1, acknowledged: 1 },
			others: [
				other({
					generation: 4,
					withheld: 5,
					rejections: [{ proxy: "n/b", message: "never" }],
				}),
			],
			want: {
				total: 3,
				acknowledged: 1,
				rejected: 1,
				rejections: [{ proxy: "n/b", message: "never" }],
			},
		},
		{
			name: "does not hold refusals of an older generation against this one",
			others: [other({ generation: 4, rejected: 2, acknowledged: 0 })],
			want: {
				total: 2,
				rejected: 0,
				behind: [{ replica: "b", generation: 4 }],
			},
		},
	];
	for (const { name, own, others, want, object: about = object } of cases)
		it(name, () =>
			expect(mergeReports({ ...nobody, ...own }, about, others)).to.deep.equal({
				...nobody,
				...want,
			}),
		);

	it("is complete only when every replica serves the generation and all their proxies have it", () => {
		const replica = fc.record({
			generation: fc.integer({ min: 3, max: 6 }),
			uid: fc.constantFrom("u0", "u1"),
			total: fc.integer({ min: 0, max: 3 }),
			lacking: fc.integer({ min: 0, max: 3 }),
		});
		fc.assert(
			fc.property(fc.array(replica, { maxLength: 4 }), (replicas) => {
				const entries = replicas.map(({ generation, uid, total, lacking }) =>
					entry({
						generation,
						uid,
						total,
						acknowledged: Math.max(0, total - lacking),
					}),
				);
				const merged = mergeReports(
					nobody,
					object,
					entries.map((one, at) => ({ name: `r${at}`, entry: one })),
				);
				const isComplete =
					merged.behind === undefined && merged.acknowledged === merged.total;
				expect(isComplete).to.equal(
					entries.every(
						(one) =>
							one.uid === "u1" &&
							one.generation >= 5 &&
							one.acknowledged === one.total,
					),
				);
			}),
		);
	});
});

describe("decideReport", () => {
	it("is bounded, whatever proxies say", () => {
		const refusal = { proxy: "n".repeat(900), message: "m".repeat(9000) };
		const many = Array.from({ length: 20 }, () => refusal);
		const said = decideReport({
			...object,
			distribution: {
				...nobody,
				total: 20,
				rejected: 20,
				rejections: many,
				missing: many.map(({ proxy }) => proxy),
			},
			heldBack: undefined,
			accepted: [],
			refused: many.map((one) => ({ ...one, content: "c", software: "s" })),
		});
		expect(JSON.stringify(said).length).to.be.lessThan(30_000);
		expect(said.rejections).to.have.length(3);
		expect(said.refused).to.have.length(8);
	});
});

describe("isSettled", () => {
	it("is so when all that need the object have it or have refused it", () => {
		expect(isSettled(entry({ total: 3, acknowledged: 1 }))).to.equal(false);
		expect(
			isSettled(entry({ total: 3, acknowledged: 1, rejected: 2 })),
		).to.equal(true);
		expect(isSettled(entry({ total: 0, acknowledged: 0 }))).to.equal(true);
	});
});

describe("shardOf", () => {
	it("spreads objects with similar names over all reports", () => {
		const counts = new Map<number, number>();
		for (let at = 0; at < 1600; at++) {
			const shard = shardOf(`RouteRule/default/rule-${at}`);
			counts.set(shard, (counts.get(shard) ?? 0) + 1);
		}
		expect(counts.size).to.equal(reportShards);
		expect(Math.max(...counts.values())).to.be.lessThan(200);
	});
});
