import { expect } from "chai";
import { eventLoopTurns } from "../../test/testkit/event-loop-turns.ts";
import { MemoryApiServer } from "../../test/testkit/memory-api-server.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { Leadership } from "./leadership.ts";
import { ObjectClient } from "./object-client.ts";

const path =
	"/apis/coordination.k8s.io/v1/namespaces/lateen-system/leases/lateen-leader";

class Contender implements AsyncDisposable {
	readonly leadership: Leadership;
	readonly changes: boolean[] = [];
	readonly #abort = new AbortController();
	readonly #ended: Promise<void>;

	constructor(server: MemoryApiServer, clock: TestClock, identity: string) {
		this.leadership = new Leadership({
			client: new ObjectClient(server),
			at: { namespace: "lateen-system", name: "lateen-leader" },
			identity,
			clock,
			random: () => 0,
			logger: silentLogger,
			metrics: new MetricsRegistry(),
		});
		this.leadership.state.subscribe((leads) => this.changes.push(leads));
		this.#ended = this.leadership.run(this.#abort.signal);
	}

	async stop(): Promise<void> {
		this.#abort.abort();
		await this.#ended;
	}

	[Symbol.asyncDispose](): Promise<void> {
		return this.stop();
	}
}

/** Lets everything that waits for an answer have it. */
async function settle(): Promise<void> {
	await eventLoopTurns(20);
}

async function pass(ms: number, ...clocks: TestClock[]): Promise<void> {
	for (let left = ms; left > 0; left -= 500) {
		for (const clock of clocks) clock.pass(Math.min(500, left));
		await settle();
	}
}

function specOf(server: MemoryApiServer): Record<string, unknown> {
	const { spec } = server.at(path) ?? {};
	return spec as Record<string, unknown>;
}

function holder(server: MemoryApiServer): unknown {
	return specOf(server)["holderIdentity"];
}

describe("Leadership", () => {
	it("is one contender's, and stays so", async () => {
		const [server, clock] = [new MemoryApiServer(), new TestClock()];
		await using a = new Contender(server, clock, "a");
		await settle();
		await using b = new Contender(server, clock, "b");
		await pass(60_000, clock);
		expect([a.leadership.isLeader(), b.leadership.isLeader()]).to.deep.equal([
			true,
			false,
		]);
		expect(a.changes).to.deep.equal([true]);
		expect(b.changes).to.deep.equal([]);
		expect(b.leadership.holder).to.equal("a");
		expect(holder(server)).to.equal("a");
	});

	it("asks the server once every two seconds, as holder and as contender", async () => {
		const [server, clock] = [new MemoryApiServer(), new TestClock()];
		await using _a = new Contender(server, clock, "a");
		await settle();
		await using _b = new Contender(server, clock, "b");
		await pass(10_000, clock);
		server.requests.length = 0;
		await pass(60_000, clock);
		expect(server.requests.length).to.be.within(58, 62);
	});

	it("goes to the next at once when the holder stops", async () => {
		const [server, clock] = [new MemoryApiServer(), new TestClock()];
		const a = new Contender(server, clock, "a");
		await settle();
		await using b = new Contender(server, clock, "b");
		await settle();
		await a.stop();
		expect(a.leadership.isLeader()).to.equal(false);
		expect(holder(server)).to.equal("");
		await pass(2000, clock);
		expect(b.leadership.isLeader()).to.equal(true);
	});

	it("ends by itself when the server cannot be reached, before anybody else takes over", async () => {
		const server = new MemoryApiServer();
		const [clockA, clockB] = [new TestClock(), new TestClock()];
		await using a = new Contender(server, clockA, "a");
		await settle();
		await using b = new Contender(server, clockB, "b");
		await settle();
		let isCut = true;
		server.fault = ({ body }) =>
			isCut && String(body).includes('"a"') ? "unreachable" : undefined;
		await pass(9500, clockA, clockB);
		expect(a.leadership.isLeader()).to.equal(true);
		await pass(1000, clockA, clockB);
		expect(a.changes).to.deep.equal([true, false]);
		expect(b.leadership.isLeader()).to.equal(false);
		await pass(8000, clockA, clockB);
		expect(b.leadership.isLeader()).to.equal(true);
		isCut = false;
		await pass(30_000, clockA, clockB);
		expect(a.leadership.isLeader()).to.equal(false);
	});

	it("is denied to a process that was frozen, from the first moment on", async () => {
		const server = new MemoryApiServer();
		const [frozen, clock] = [new TestClock(), new TestClock()];
		await using a = new Contender(server, frozen, "a");
		await settle();
		await using b = new Contender(server, clock, "b");
		await pass(18_000, clock);
		expect(b.leadership.isLeader()).to.equal(true);
		// The machine's clock went on; its timers are called only after this question.
		frozen.jump(18_000);
		expect(a.leadership.isLeader()).to.equal(false);
		await pass(20_000, frozen, clock);
		expect(a.changes).to.deep.equal([true, false]);
		expect([a.leadership.isLeader(), b.leadership.isLeader()]).to.deep.equal([
			false,
			true,
		]);
	});

	it("is told as lost and won again when another led in between", async () => {
		const [server, clock] = [new MemoryApiServer(), new TestClock()];
		await using a = new Contender(server, clock, "a");
		await settle();
		server.put(path, {
			metadata: { name: "lateen-leader" },
			spec: { ...specOf(server), holderIdentity: "", leaseTransitions: 1 },
		});
		await pass(4000, clock);
		expect(a.leadership.isLeader()).to.equal(true);
		expect(a.changes).to.deep.equal([true, false, true]);
	});

	it("outlives a lost answer", async () => {
		const [server, clock] = [new MemoryApiServer(), new TestClock()];
		await using a = new Contender(server, clock, "a");
		await settle();
		let lost = 0;
		server.fault = ({ method }) => {
			if (method !== "PUT" || lost >= 2) return undefined;
			lost += 1;
			return "answer lost";
		};
		await pass(20_000, clock);
		expect(lost).to.equal(2);
		expect(a.changes).to.deep.equal([true]);
	});

	it("gives up a request that is not answered in time to try again", async () => {
		const [server, clock] = [new MemoryApiServer(), new TestClock()];
		await using a = new Contender(server, clock, "a");
		await settle();
		let hung = 0;
		server.delay = ({ method }) => {
			if (method !== "PUT" || hung > 0) return Promise.resolve();
			hung += 1;
			return new Promise(() => undefined);
		};
		await pass(30_000, clock);
		expect(hung).to.equal(1);
		expect(a.changes).to.deep.equal([true]);
	});

	it("says what is in the way, until it is not", async () => {
		const [server, clock] = [new MemoryApiServer(), new TestClock()];
		server.fault = ({ method }) =>
			method === "POST" ? { status: 404, reason: "NotFound" } : undefined;
		await using a = new Contender(server, clock, "a");
		await pass(10_000, clock);
		expect(a.leadership.problem.value?.code).to.equal("KUBE_NOT_FOUND");
		server.fault = () => undefined;
		await pass(4000, clock);
		expect(a.leadership.problem.value).to.equal(undefined);
		expect(a.changes).to.deep.equal([true]);
	});
});
