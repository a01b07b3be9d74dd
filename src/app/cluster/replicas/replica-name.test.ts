import { expect } from "chai";
import { replicaNameOf } from "./replica-name.ts";

describe("replicaNameOf", () => {
	const cases = [
		{
			name: "is the name of the pod",
			given: "lateen-7d9f-x2x",
			machine: "m",
			want: "lateen-7d9f-x2x",
		},
		{
			name: "is made of the machine's when none is given",
			given: undefined,
			machine: "Anna's Laptop.local",
			want: "anna-s-laptop-local-a1b2",
		},
		{
			name: "is never empty",
			given: "___",
			machine: "m",
			want: "replica-a1b2",
		},
		{
			name: "leaves room for what is added to it",
			given: "n".repeat(300),
			machine: "m",
			want: "n".repeat(200),
		},
	] as const;
	for (const { name, given, machine, want } of cases)
		it(name, () =>
			expect(replicaNameOf(given, machine, "a1b2")).to.equal(want),
		);
});
