import { expect } from "chai";
import { Pacer } from "./pacer.ts";

describe("Pacer", () => {
	it("lets the first response go at once", () => {
		expect(new Pacer().notBeforeMs).to.equal(Number.NEGATIVE_INFINITY);
	});

	const cases = [
		{ name: "ten times the time of the last one", costs: [8], want: 80 },
		{ name: "the shortest of a few", costs: [40, 8, 30], want: 80 },
		{
			name: "not for one that was long ago",
			costs: [1, 9, 9, 9, 9, 9],
			want: 90,
		},
		{ name: "no longer than a second", costs: [300], want: 1000 },
		{ name: "not at all for one that cost nothing", costs: [0], want: 0 },
	];
	for (const { name, costs, want } of cases) {
		it(`waits for ${name}`, () => {
			const pacer = new Pacer();
			let sentAtMs = 0;
			for (const costMs of costs) {
				sentAtMs += 5000;
				pacer.sent(sentAtMs);
				pacer.answered(sentAtMs + costMs);
			}
			expect(pacer.notBeforeMs - sentAtMs).to.equal(want);
		});
	}

	it("lets a proxy spend at most a tenth of its time on a constant stream of changes", () => {
		const pacer = new Pacer();
		const workMs = 80;
		let nowMs = 0;
		let worked = 0;
		while (nowMs < 60_000) {
			nowMs = Math.max(nowMs, pacer.notBeforeMs);
			pacer.sent(nowMs);
			nowMs += workMs;
			worked += workMs;
			pacer.answered(nowMs);
		}
		expect(worked / nowMs).to.be.lessThan(0.102);
	});
});
