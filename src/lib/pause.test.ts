import { getEventListeners } from "node:events";
import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { pause } from "./pause.ts";

describe("pause", () => {
	/** Whether it has ended, as far as the microtasks that wait tell. */
	async function hasEnded(waiting: Promise<void>): Promise<boolean> {
		let ended = false;
		void waiting.then(() => {
			ended = true;
		});
		for (let turn = 0; turn < 5; turn++) await Promise.resolve();
		return ended;
	}

	it("ends when the time has passed, and not before", async () => {
		const clock = new TestClock();
		const { signal } = new AbortController();
		const waiting = pause(clock, 100, signal);
		clock.pass(99);
		expect(await hasEnded(waiting)).to.equal(false);
		clock.pass(1);
		expect(await hasEnded(waiting)).to.equal(true);
		expect(getEventListeners(signal, "abort")).to.deep.equal([]);
	});

	it("ends when it is aborted, without a timer left", async () => {
		const clock = new TestClock();
		const stopping = new AbortController();
		const waiting = pause(clock, 100, stopping.signal);
		stopping.abort();
		await waiting;
		expect(clock.waiting).to.equal(0);
	});

	it("waits for nothing when it was aborted before", async () => {
		const clock = new TestClock();
		await pause(clock, 100, AbortSignal.abort());
		expect(clock.waiting).to.equal(0);
	});
});
