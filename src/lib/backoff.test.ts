import { expect } from "chai";
import { backoffMs } from "./backoff.ts";

describe("backoffMs", () => {
	it("doubles with each failure, up to 32 times as long", () => {
		const waits = [0, 1, 2, 4, 5, 6].map((failed) => backoffMs(failed, 250));
		expect(waits).to.deep.equal([250, 500, 1000, 4000, 8000, 8000]);
	});

	it("ends at the longest wait that it is given, however many have failed", () => {
		expect(backoffMs(3, 500, 3000)).to.equal(3000);
		expect(backoffMs(1_000_000, 500, 3000)).to.equal(3000);
	});
});
