import { expect } from "chai";
import {
	conditionOf,
	type ObjectStatus,
	printStatus,
	printTime,
} from "./status.ts";

const status: ObjectStatus = {
	ref: { kind: "Mesh", namespace: "", name: "default" },
	observedGeneration: 3,
	conditions: [
		{
			type: "Accepted",
			status: "True",
			reason: "Accepted",
			message: "The object is valid and in use.",
			observedGeneration: 3,
			lastTransitionMs: Date.UTC(2026, 1, 3, 4, 5, 6, 789),
		},
	],
	proxies: { total: 2, acknowledged: 1, rejected: 0 },
};

describe("status", () => {
	it("is printed as Kubernetes writes it, with times in whole seconds", () => {
		expect(printStatus(status)).to.deep.equal({
			observedGeneration: 3,
			conditions: [
				{
					type: "Accepted",
					status: "True",
					observedGeneration: 3,
					lastTransitionTime: "2026-02-03T04:05:06Z",
					reason: "Accepted",
					message: "The object is valid and in use.",
				},
			],
			proxies: { total: 2, acknowledged: 1, rejected: 0 },
		});
		expect(printTime(0)).to.equal("1970-01-01T00:00:00Z");
	});

	it("finds a condition by its type", () => {
		expect(conditionOf(status, "Accepted")?.status).to.equal("True");
		expect(conditionOf(status, "Ready")).to.equal(undefined);
	});
});
