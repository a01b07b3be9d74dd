import { expect } from "chai";
import { TestClock } from "../../../test/testkit/test-clock.ts";
import { FirstSyncs, type Turn } from "./first-syncs.ts";

/** Streams that ask for a turn; those that have one, by number. */
function streams(syncs: FirstSyncs, count: number): Map<number, Turn> {
	const begun = new Map<number, Turn>();
	for (let index = 0; index < count; index++)
		void syncs.begin().then((turn) => begun.set(index, turn));
	return begun;
}

/** Lets everything run that waits for nothing else. */
function soon(): Promise<void> {
	return new Promise((resolve) => {
		setImmediate(resolve);
	});
}

describe("FirstSyncs", () => {
	it("lets the next stream begin when another has ended, in order", async () => {
		const begun = streams(new FirstSyncs(new TestClock()), 18);
		await soon();
		expect(begun.size).to.equal(16);

		begun.get(3)?.end();
		begun.get(3)?.end();
		await soon();
		expect([...begun.keys()].slice(16)).to.deep.equal([16]);
		begun.get(16)?.end();
		await soon();
		expect(begun.size).to.equal(18);
	});

	it("takes new streams at once when all have ended", async () => {
		const syncs = new FirstSyncs(new TestClock());
		const begun = streams(syncs, 20);
		await soon();
		for (const turn of [...begun.values()]) turn.end();
		await soon();
		for (const turn of begun.values()) turn.end();
		const later = streams(syncs, 17);
		await soon();
		expect(later.size).to.equal(16);
	});

	it("waits a second for a stream that does not end", async () => {
		const clock = new TestClock();
		const begun = streams(new FirstSyncs(clock), 40);
		await soon();
		clock.pass(999);
		await soon();
		expect(begun.size).to.equal(16);
		clock.pass(1);
		await soon();
		expect(begun.size).to.equal(32);
	});
});
