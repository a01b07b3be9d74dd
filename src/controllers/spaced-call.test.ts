import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { SpacedCall } from "./spaced-call.ts";

describe("SpacedCall", () => {
	let clock: TestClock;
	let calls: number;
	let spaced: SpacedCall;

	beforeEach(() => {
		clock = new TestClock();
		calls = 0;
		spaced = new SpacedCall(clock, 1000, () => {
			calls += 1;
		});
	});

	it("calls at once the first time, for all that ask meanwhile", () => {
		spaced.ask();
		spaced.ask();
		expect(calls).to.equal(0);
		clock.pass(0);
		expect(calls).to.equal(1);
	});

	it("leaves the time between two calls, however often it is asked", () => {
		for (let ms = 0; ms < 2500; ms += 10) {
			spaced.ask();
			clock.pass(10);
		}
		expect(calls).to.equal(3);
	});

	it("calls nothing when it is taken back", () => {
		spaced.ask();
		spaced.cancel();
		clock.pass(5000);
		expect(calls).to.equal(0);
	});
});
