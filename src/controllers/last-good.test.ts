import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import type { LastGood, LastGoodStore } from "../store/last-good.ts";
import { refKey } from "../store/ref-key.ts";
import { LastGoodKeeper } from "./last-good.ts";

function entry(name: string): LastGood {
	return {
		ref: { kind: "RouteRule", namespace: "default", name },
		valid: undefined,
		proven: undefined,
		refusals: [],
	};
}

/** A store in memory that can be full. */
class MemoryStore implements LastGoodStore {
	readonly written = new Map<string, LastGood>();
	writes = 0;
	isFull = false;
	isStuck = false;

	read(): Promise<readonly LastGood[]> {
		return Promise.resolve([...this.written.values()]);
	}

	write(one: LastGood): Promise<void> {
		if (this.isFull) return Promise.reject(new Error("no space left"));
		if (this.isStuck) return new Promise(() => undefined);
		this.writes += 1;
		this.written.set(refKey(one.ref), one);
		return Promise.resolve();
	}

	remove(ref: LastGood["ref"]): Promise<void> {
		this.written.delete(refKey(ref));
		return Promise.resolve();
	}
}

/** Lets everything run that waits for nothing but its turn. */
async function rest(): Promise<void> {
	for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

describe("LastGoodKeeper", () => {
	const said: string[] = [];
	let store: MemoryStore;
	let clock: TestClock;
	let metrics: MetricsRegistry;
	let keeper: LastGoodKeeper;

	beforeEach(() => {
		said.length = 0;
		store = new MemoryStore();
		clock = new TestClock();
		metrics = new MetricsRegistry();
		keeper = new LastGoodKeeper({
			store,
			clock,
			metrics,
			logger: {
				...silentLogger,
				warn: (message) => void said.push(`warn ${message}`),
				info: (message) => void said.push(`info ${message}`),
			},
		});
	});

	it("writes what came together for one object once", async () => {
		keeper.put(entry("a"));
		const newest = entry("a");
		keeper.put(newest);
		keeper.put(entry("b"));
		clock.pass(1000);
		await rest();
		expect(store.writes).to.equal(2);
		expect(store.written.get("RouteRule/default/a")).to.equal(newest);
		expect(clock.waiting).to.equal(0);
	});

	it("says once that it cannot write, goes on trying, and says when it can again", async () => {
		store.isFull = true;
		keeper.put(entry("a"));
		for (let second = 0; second < 60; second += 1) {
			clock.pass(1000);
			await rest();
			keeper.put(entry("a"));
		}
		expect(said.filter((line) => line.startsWith("warn"))).to.have.length(1);
		expect(metrics.print()).to.include("lateen_last_good_unwritten 1");
		store.isFull = false;
		clock.pass(60_000);
		await rest();
		expect(store.written.size).to.equal(1);
		expect(metrics.print()).to.include("lateen_last_good_unwritten 0");
		expect(said.at(-1)).to.match(/^info .* again[.]$/);
	});

	it("removes what is forgotten", async () => {
		keeper.put(entry("a"));
		clock.pass(1000);
		await rest();
		keeper.forget(entry("a").ref);
		clock.pass(1000);
		await rest();
		expect(store.written.size).to.equal(0);
	});

	it("writes the rest when it is disposed of", async () => {
		keeper.put(entry("a"));
		await keeper[Symbol.asyncDispose]();
		expect(store.written.size).to.equal(1);
		expect(clock.waiting).to.equal(0);
	});

	it("writes what proxies refuse first", async () => {
		keeper.put(entry("a"));
		const refusal = { content: "c", software: "", proxy: "p", message: "no" };
		keeper.put({ ...entry("b"), refusals: [refusal] });
		clock.pass(1000);
		await rest();
		expect([...store.written.values()].map(({ ref }) => ref.name)).to.eql([
			"b",
			"a",
		]);
	});

	it("does not hold up a stop when the store is slow, and begins no write after it", async () => {
		store.isStuck = true;
		keeper.put(entry("a"));
		keeper.put(entry("b"));
		clock.pass(1000);
		await rest();
		const stopped = keeper[Symbol.asyncDispose]();
		clock.pass(1500);
		await stopped;
		expect(said.at(-1)).to.include("not written before the stop");
		store.isStuck = false;
		await rest();
		expect(store.writes).to.equal(0);
	});
});
