import { expect } from "chai";
import { type ObjectStatus, printStatus } from "../api/status.ts";
import { mergeStatus } from "./merge-status.ts";

const second = 1000;

function wanted(
	status: "True" | "False",
	atMs: number,
	fields: Partial<ObjectStatus> = {},
): ObjectStatus {
	return {
		ref: { kind: "RouteRule", namespace: "a", name: "x" },
		observedGeneration: 2,
		conditions: [
			{
				type: "Programmed",
				status,
				reason: "Because",
				message: "It is so.",
				observedGeneration: 2,
				lastTransitionMs: atMs,
			},
		],
		proxies: { total: 1, acknowledged: 1, rejected: 0 },
		...fields,
	};
}

function present(status: unknown, generation = 2) {
	return { generation, status };
}

describe("mergeStatus", () => {
	it("writes the first status as it is", () => {
		const merge = mergeStatus(wanted("True", second), present(undefined));
		expect(merge).to.deep.equal({
			op: "write",
			status: printStatus(wanted("True", second)),
			isProgress: false,
		});
	});

	it("leaves alone what another replica wrote earlier and says the same", () => {
		const old = printStatus(wanted("True", second));
		const merge = mergeStatus(wanted("True", 99 * second), present(old));
		expect(merge).to.deep.equal({ op: "same" });
	});

	it("does not mind conditions of others", () => {
		const old = printStatus(wanted("True", second));
		const conditions = [...old.conditions, { type: "Checked", status: "True" }];
		const merge = mergeStatus(
			wanted("True", second),
			present({ ...old, conditions }),
		);
		expect(merge).to.deep.equal({ op: "same" });
	});

	it("keeps the transition time of a condition whose words alone differ", () => {
		const old = printStatus(wanted("True", second));
		const next = wanted("True", 99 * second, { observedGeneration: 3 });
		const merge = mergeStatus(next, present(old, 3));
		expect(merge.op === "write" && merge.status.conditions[0]).to.include({
			lastTransitionTime: "1970-01-01T00:00:01Z",
		});
	});

	it("tells what somebody may wait for from counts and words", () => {
		const proxies = { total: 9, acknowledged: 8, rejected: 0 };
		const old = printStatus(wanted("True", second));
		const isProgress = (next: ObjectStatus, generation = 2): unknown => {
			const merge = mergeStatus(next, present(old, generation));
			return merge.op === "write" ? merge.isProgress : merge.op;
		};
		expect(isProgress(wanted("True", second, { proxies }))).to.equal(true);
		expect(isProgress(wanted("False", second, { proxies }))).to.equal(false);
		const newer = { proxies, observedGeneration: 3 };
		expect(isProgress(wanted("True", second, newer), 3)).to.equal(false);
	});

	it("takes the new time when the condition flips", () => {
		const old = printStatus(wanted("True", second));
		const merge = mergeStatus(wanted("False", 99 * second), present(old));
		expect(merge.op === "write" && merge.status.conditions[0]).to.include({
			lastTransitionTime: "1970-01-01T00:01:39Z",
		});
	});

	it("does not set a transition back behind the one it follows", () => {
		const old = printStatus(wanted("True", 99 * second));
		const merge = mergeStatus(wanted("False", second), present(old));
		expect(merge.op === "write" && merge.status.conditions[0]).to.include({
			status: "False",
			lastTransitionTime: "1970-01-01T00:01:39Z",
		});
	});

	it("waits when the status is of a generation that this process has not seen yet", () => {
		const old = printStatus(wanted("True", 0, { observedGeneration: 3 }));
		const merge = mergeStatus(wanted("False", 0), present(old, 3));
		expect(merge).to.deep.equal({ op: "newer" });
	});

	it("corrects a status of a generation that does not exist", () => {
		const old = printStatus(wanted("True", 0, { observedGeneration: 99 }));
		const merge = mergeStatus(wanted("True", 0), present(old));
		expect(merge.op).to.equal("write");
	});

	for (const { name, status } of [
		{ name: "no object", status: "fine" },
		{ name: "without a list of conditions", status: { conditions: "none" } },
		{ name: "with senseless conditions", status: { conditions: [1, null] } },
		{
			name: "with a senseless time",
			status: {
				conditions: [
					{ type: "Programmed", status: "True", lastTransitionTime: "soon" },
				],
			},
		},
	])
		it(`replaces a status that is ${name}`, () => {
			const merge = mergeStatus(wanted("True", second), present(status));
			expect(merge).to.deep.equal({
				op: "write",
				status: printStatus(wanted("True", second)),
				isProgress: false,
			});
		});
});
