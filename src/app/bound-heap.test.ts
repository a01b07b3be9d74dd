import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";

const program = `
import { getHeapSpaceStatistics } from "node:v8";
import { boundHeap } from ${JSON.stringify(join(import.meta.dirname, "bound-heap.ts"))};
if (process.argv[1] === "bounded") boundHeap();
let kept = [];
for (let round = 0; round < 60; round++) {
	for (let i = 0; i < 50_000; i++) kept.push({ i, of: [i] });
	if (kept.length > 200_000) kept = kept.slice(100_000);
	await new Promise((resolve) => setImmediate(resolve));
}
const young = getHeapSpaceStatistics().find((space) => space.space_name === "new_space");
console.log(young.space_size / 1e6);
`;

function youngMb(how: "bounded" | "free"): number {
	const args = ["--input-type=module", "--eval", program, how];
	return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

describe("boundHeap", () => {
	it("keeps young memory small under load", () => {
		expect(youngMb("bounded")).to.be.lessThan(40);
		// Otherwise the program above shows nothing.
		expect(youngMb("free")).to.be.greaterThan(60);
	});
});
