import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { HeldOffCall } from "./held-off-call.ts";

describe("HeldOffCall", () => {
	let clock: TestClock;
	let calls: number;
	let held: HeldOffCall;

	beforeEach(() => {
		clock = new TestClock();
		calls = 0;
		held = new HeldOffCall(clock, { quietMs: 20, maxMs: 100 }, () => {
			calls += 1;
		});
	});

	it("calls once when it has been quiet", () => {
		held.ask();
		clock.pass(19);
		held.ask();
		clock.pass(19);
		expect(calls).to.equal(0);
		clock.pass(1);
		expect(calls).to.equal(1);
	});

	it("does not let the first change wait too long, however many follow", () => {
		for (let ms = 0; ms < 100; ms += 10) {
			expect(calls).to.equal(0);
			held.ask();
			clock.pass(10);
		}
		expect(calls).to.equal(1);
	});

	it("counts the wait anew after each call", () => {
		held.ask();
		clock.pass(1000);
		held.ask();
		clock.pass(19);
		expect(calls).to.equal(1);
		clock.pass(1);
		expect(calls).to.equal(2);
	});

	it("calls nothing when it is taken back, and again when asked after that", () => {
		held.ask();
		held.cancel();
		clock.pass(1000);
		expect(calls).to.equal(0);
		held.ask();
		clock.pass(20);
		expect(calls).to.equal(1);
	});
});
