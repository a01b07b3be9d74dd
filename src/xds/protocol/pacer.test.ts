import { expect } from "chai";
import { Pacer } from "./pacer.ts";

/** Sends as soon as it may, so many times; answers how long each response waited. */
function pausesOf(
	pacer: Pacer,
	times: number,
	{ workMs, fromMs = 0 }: { readonly workMs: number; readonly fromMs?: number },
): readonly number[] {
	let nowMs = fromMs;
	return Array.from({ length: times }, () => {
		const pauseMs = Math.max(0, pacer.notBeforeMs - nowMs);
		nowMs += pauseMs;
		pacer.sent(nowMs);
		nowMs += workMs;
		pacer.answered(nowMs);
		return pauseMs;
	});
}

describe("Pacer", () => {
	it("lets the first response go at once", () => {
		expect(new Pacer().notBeforeMs).to.equal(Number.NEGATIVE_INFINITY);
	});

	it("lets a few responses go at once after a quiet time, then waits until the proxy has rested", () => {
		const pacer = new Pacer();
		const pauses = pausesOf(pacer, 15, { workMs: 20 });
		expect(pauses.slice(0, 11)).to.deep.equal(Array(11).fill(0));
		expect(pauses.at(-1)).to.equal(9 * 20);
		const later = pausesOf(pacer, 11, { workMs: 20, fromMs: 60_000 });
		expect(later).to.deep.equal(Array(11).fill(0));
	});

	it("takes the shortest of a few times as what a response costs", () => {
		const pacer = new Pacer();
		let nowMs = 0;
		for (let n = 0; n < 200; n++) {
			nowMs = Math.max(nowMs, pacer.notBeforeMs);
			pacer.sent(nowMs);
			nowMs += n % 5 === 0 ? 8 : 40;
			pacer.answered(nowMs);
		}
		// Rest for 200 times 8 ms, of which 200 ms were saved up.
		expect(nowMs).to.be.within(200 * 80 - 2_100, 200 * 80);
	});

	it("waits no longer than a second after a response, and owes no more for what took long", () => {
		const pacer = new Pacer();
		expect(pausesOf(pacer, 5, { workMs: 700 })).to.deep.equal([
			...[0, 300, 300, 300, 300],
		]);
		const later = pausesOf(pacer, 5, { workMs: 1, fromMs: 10_000 });
		expect(later).to.deep.equal(Array(5).fill(0));
	});

	it("never waits for responses that cost nothing", () => {
		expect(pausesOf(new Pacer(), 50, { workMs: 0 })).to.deep.equal(
			Array(50).fill(0),
		);
	});

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
		// Besides what it had saved up.
		expect(worked - 200).to.be.lessThan(nowMs * 0.102);
	});
});
