import { expect } from "chai";
import { deepEqual } from "./deep-equal.ts";

describe("deepEqual", () => {
	const cases = [
		{
			name: "ignores the order of keys",
			a: { x: 1, y: 2 },
			b: { y: 2, x: 1 },
			want: true,
		},
		{ name: "minds the order of items", a: [1, 2], b: [2, 1], want: false },
		{
			name: "tells a missing field from another value",
			a: { x: 1 },
			b: { x: 1, y: 0 },
			want: false,
		},
		{
			name: "compares maps by content",
			a: new Map([["k", [1]]]),
			b: new Map([["k", [1]]]),
			want: true,
		},
		{ name: "tells a number from its text", a: 1, b: "1", want: false },
	] as const;
	for (const { name, a, b, want } of cases) {
		it(name, () => expect(deepEqual(a, b)).to.equal(want));
	}
});
