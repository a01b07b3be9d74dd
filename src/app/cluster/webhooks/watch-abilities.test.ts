import { expect } from "chai";
import { eventLoopTurns } from "../../../../test/testkit/event-loop-turns.ts";
import { TestClock } from "../../../../test/testkit/test-clock.ts";
import type { KubeConnection } from "../../../kube/connection.ts";
import { silentLogger } from "../../../observability/logger.ts";
import { Stops } from "../../lifecycle/stops.ts";
import { watchAbilities } from "./watch-abilities.ts";

describe("watchAbilities", () => {
	/** The API server's version; while it is undefined, it does not answer. */
	let minor: string | undefined;
	let asked: number;
	const connection: Pick<KubeConnection, "request"> = {
		request: () => {
			asked += 1;
			if (minor === undefined)
				return Promise.reject(new Error("no route to host"));
			const text = JSON.stringify({ major: "1", minor });
			return Promise.resolve({
				status: 200,
				headers: new Map(),
				body: (async function* () {})(),
				text: () => Promise.resolve(text),
			});
		},
	};

	it("asks until it is answered, again now and then, and no more once it is stopped", async () => {
		minor = undefined;
		asked = 0;
		const clock = new TestClock();
		const stops = new Stops();
		const abilities = watchAbilities(
			{ connection: connection as KubeConnection, clock, logger: silentLogger },
			stops,
		);
		await eventLoopTurns(5);
		expect(abilities.value).to.equal(undefined);
		minor = "28";
		clock.pass(1000);
		await eventLoopTurns(5);
		const old = abilities.value;
		expect(old).not.to.equal(undefined);
		minor = "35";
		clock.pass(600_000);
		await eventLoopTurns(5);
		expect(abilities.value).not.to.deep.equal(old);
		expect(asked).to.equal(3);
		await stops[Symbol.asyncDispose]();
		clock.pass(3_600_000);
		await eventLoopTurns(5);
		expect(asked).to.equal(3);
		expect(clock.waiting).to.equal(0);
	});
});
