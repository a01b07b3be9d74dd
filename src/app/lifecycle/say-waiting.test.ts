import { expect } from "chai";
import { TestClock } from "../../../test/testkit/test-clock.ts";
import { Health } from "../../observability/health.ts";
import { type Logger, silentLogger } from "../../observability/logger.ts";
import { sayWaiting } from "./say-waiting.ts";

describe("sayWaiting", () => {
	let clock: TestClock;
	let health: Health;
	let said: unknown[];
	let logger: Logger;

	beforeEach(() => {
		clock = new TestClock();
		health = new Health(["it is read", "it listens"]);
		said = [];
		logger = {
			...silentLogger,
			warn: (_, fields) => void said.push(fields?.["waitingFor"]),
		};
	});

	it("says what is waited for and why, each minute, when a start takes long", () => {
		sayWaiting(health, { clock, logger });
		clock.pass(9000);
		expect(said).to.deep.equal([]);
		health.explain("it is read", "There is none.");
		clock.pass(1000);
		health.reached("it is read");
		clock.pass(60_000);
		expect(said).to.deep.equal([
			["it is read: There is none.", "it listens"],
			["it listens"],
		]);
	});

	it("says nothing of a server that is ready, or that stops", async () => {
		const stop = sayWaiting(health, { clock, logger });
		stop();
		expect(clock.waiting).to.equal(0);
		sayWaiting(health, { clock, logger });
		health.reached("it is read");
		health.reached("it listens");
		await Promise.resolve();
		expect(clock.waiting).to.equal(0);
		clock.pass(100_000);
		expect(said).to.deep.equal([]);
	});
});
