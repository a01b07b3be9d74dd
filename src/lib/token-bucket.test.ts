import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { TokenBucket } from "./token-bucket.ts";

describe("TokenBucket", () => {
	const clock = new TestClock();

	/** How many can be taken at this moment. */
	function takeAll(bucket: TokenBucket): number {
		let taken = 0;
		while (bucket.take()) taken += 1;
		return taken;
	}

	it("gives a burst at first, and then what time brings", () => {
		const bucket = new TokenBucket(clock, { perSecond: 4, burst: 10 });
		expect(takeAll(bucket)).to.equal(10);
		clock.pass(1000);
		expect(takeAll(bucket)).to.equal(4);
	});

	it("keeps no more than a burst, however long nothing was taken", () => {
		const bucket = new TokenBucket(clock, { perSecond: 4, burst: 10 });
		clock.pass(3_600_000);
		expect(takeAll(bucket)).to.equal(10);
	});

	it("says when there is one again, and then there is", () => {
		const bucket = new TokenBucket(clock, { perSecond: 4, burst: 1 });
		expect(bucket.dueMs).to.equal(0);
		takeAll(bucket);
		clock.pass(100);
		expect(bucket.dueMs).to.equal(150);
		expect(bucket.take()).to.equal(false);
		clock.pass(bucket.dueMs);
		expect(bucket.take()).to.equal(true);
	});
});
