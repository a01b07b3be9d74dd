import { expect } from "chai";
import { buildTimeMs } from "./hold-off.ts";

describe("buildTimeMs", () => {
	const holdOff = { quietMs: 10, maxMs: 200 };
	const single = { firstMs: 1000, lastMs: 1000, removes: false, builtMs: 0 };
	const cases = [
		{
			name: "lets a change after a quiet time go at once",
			waiting: single,
			want: 1000,
		},
		{
			name: "holds a removal off until it is quiet",
			waiting: { ...single, removes: true },
			want: 1010,
		},
		{
			name: "holds a change right after a build off until it is quiet",
			waiting: { ...single, builtMs: 995 },
			want: 1010,
		},
		{
			name: "waits again after each further change",
			waiting: { ...single, builtMs: 995, lastMs: 1100 },
			want: 1110,
		},
		{
			name: "never makes the first change wait longer than the limit",
			waiting: { ...single, builtMs: 995, lastMs: 1199 },
			want: 1200,
		},
	];
	for (const { name, waiting, want } of cases)
		it(name, () => expect(buildTimeMs(waiting, holdOff)).to.equal(want));
});
