import { setImmediate } from "node:timers/promises";
import { expect } from "chai";
import { eventLoopTurns } from "../../test/testkit/event-loop-turns.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { KubeError } from "./kube-error.ts";
import { WritePacer } from "./write-pacer.ts";

async function settle(): Promise<void> {
	await eventLoopTurns(5);
}

describe("WritePacer", () => {
	it("lets a burst through, and then so many a second", async () => {
		const clock = new TestClock();
		const pacer = new WritePacer(clock, {
			perSecond: 10,
			burst: 5,
			concurrency: 100,
		});
		let done = 0;
		const all = Array.from({ length: 25 }, () =>
			pacer.run(() => Promise.resolve(++done)),
		);
		await settle();
		expect(done).to.equal(5);
		for (let ms = 0; ms < 1000; ms += 50) {
			clock.pass(50);
			await settle();
		}
		expect(done).to.be.within(14, 15);
		for (let ms = 0; ms < 1200; ms += 50) {
			clock.pass(50);
			await settle();
		}
		await Promise.all(all);
		expect(done).to.equal(25);
		expect(clock.waiting).to.equal(0);
	});

	it("has no more under way than it may, and keeps their order", async () => {
		const pacer = new WritePacer(new TestClock(), {
			perSecond: 1000,
			burst: 1000,
			concurrency: 2,
		});
		let now = 0;
		let most = 0;
		const order: number[] = [];
		await Promise.all(
			Array.from({ length: 20 }, (_, index) =>
				pacer.run(async () => {
					order.push(index);
					now += 1;
					most = Math.max(most, now);
					await setImmediate();
					now -= 1;
				}),
			),
		);
		expect(most).to.equal(2);
		expect(order).to.deep.equal([...order].sort((a, b) => a - b));
	});

	it("lets urgent writes begin before a thousand others, and holds those up for no longer than it must", async () => {
		const clock = new TestClock();
		const pacer = new WritePacer(clock, {
			perSecond: 1000,
			burst: 1000,
			concurrency: 3,
			reserved: 1,
		});
		const begun: string[] = [];
		const ends: (() => void)[] = [];
		const write = (name: string) => (): Promise<void> => {
			begun.push(name);
			return new Promise((resolve) => ends.push(resolve));
		};
		for (let index = 0; index < 100; index += 1)
			void pacer.run(write(`bulk ${index}`), undefined, "bulk");
		await settle();
		expect(begun).to.deep.equal(["bulk 0", "bulk 1"]);
		for (let index = 0; index < 30; index += 1) void pacer.run(write("urgent"));
		await settle();
		expect(begun.slice(2)).to.deep.equal(["urgent"]);
		for (let index = 0; index < 30; index += 1) {
			ends[index]?.();
			await settle();
		}
		expect(begun.slice(3).filter((name) => name !== "urgent")).to.deep.equal([
			"bulk 2",
			"bulk 3",
			"bulk 4",
		]);
	});

	it("leaves the server alone for as long as it asks", async () => {
		const clock = new TestClock();
		const pacer = new WritePacer(clock, {
			perSecond: 1000,
			burst: 1000,
			concurrency: 4,
		});
		const busy = new KubeError("KUBE_BUSY", "Later.", { retryAfterMs: 3000 });
		const failed: unknown = await pacer
			.run(() => Promise.reject(busy))
			.catch((error: unknown) => error);
		expect(failed).to.equal(busy);
		let isDone = false;
		const next = pacer.run(() => {
			isDone = true;
			return Promise.resolve();
		});
		clock.pass(2990);
		await settle();
		expect(isDone).to.equal(false);
		clock.pass(20);
		await next;
		expect(isDone).to.equal(true);
	});

	it("gives up the turn of whoever no longer wants it, and takes it from nobody else", async () => {
		const clock = new TestClock();
		const pacer = new WritePacer(clock, {
			perSecond: 10,
			burst: 1,
			concurrency: 1,
		});
		const stopping = new AbortController();
		const written: string[] = [];
		const write = (name: string) => (): Promise<void> => {
			written.push(name);
			return Promise.resolve();
		};
		await pacer.run(write("first"));
		const given = Array.from({ length: 100 }, () =>
			pacer.run(write("given up"), stopping.signal),
		);
		const last = pacer.run(write("last"));
		stopping.abort();
		const outcomes = await Promise.allSettled(given);
		expect(new Set(outcomes.map(({ status }) => status))).to.deep.equal(
			new Set(["rejected"]),
		);
		clock.pass(100);
		await last;
		expect(written).to.deep.equal(["first", "last"]);
		expect(clock.waiting).to.equal(0);
	});
});
