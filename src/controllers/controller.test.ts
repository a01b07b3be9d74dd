import { setImmediate } from "node:timers/promises";
import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { WritableSignal } from "../lib/signal.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { Controller, controllerFigures } from "./controller.ts";

/** A controller whose steps end when the test says how. */
class Bench {
	readonly clock = new TestClock();
	readonly input = new WritableSignal(0);
	readonly leads = new WritableSignal(true);
	readonly metrics = new MetricsRegistry();
	/** What each step so far has seen. */
	readonly seen: number[] = [];
	readonly aborted: boolean[] = [];
	#end: ((outcome: number | undefined | Error) => void) | undefined;
	readonly controller = new Controller({
		name: "bench",
		inputs: [this.input],
		leader: { isLeader: () => this.leads.value, state: this.leads },
		step: (signal) => this.#step(signal),
		clock: this.clock,
		logger: silentLogger,
		figures: controllerFigures(this.metrics),
	});

	#step(signal: AbortSignal): Promise<number | undefined> {
		const index = this.seen.push(this.input.value) - 1;
		this.aborted.push(false);
		signal.addEventListener("abort", () => {
			this.aborted[index] = true;
		});
		return new Promise((resolve, reject) => {
			this.#end = (outcome) =>
				outcome instanceof Error ? reject(outcome) : resolve(outcome);
		});
	}

	async end(outcome?: number | Error): Promise<void> {
		this.#end?.(outcome);
		await setImmediate();
	}
}

describe("Controller", () => {
	let bench: Bench;
	beforeEach(() => {
		bench = new Bench();
	});
	afterEach(async () => {
		const disposed = bench.controller[Symbol.asyncDispose]();
		await bench.end();
		await disposed;
		expect(bench.clock.waiting).to.equal(0);
	});

	it("looks at once", () => expect(bench.seen).to.deep.equal([0]));

	it("looks once more after any number of changes during a step", async () => {
		for (let value = 1; value < 100; value++) bench.input.set(value);
		expect(bench.seen).to.deep.equal([0]);
		await bench.end();
		expect(bench.seen).to.deep.equal([0, 99]);
		await bench.end();
		expect(bench.seen).to.have.length(2);
	});

	it("looks again when a step says so, and not before", async () => {
		await bench.end(500);
		bench.clock.pass(499);
		expect(bench.seen).to.have.length(1);
		bench.clock.pass(1);
		expect(bench.seen).to.have.length(2);
	});

	it("waits longer after each failure, up to a minute, whatever changes meanwhile", async () => {
		for (let waitMs = 500; waitMs < 200_000; waitMs *= 2) {
			const before = bench.seen.length;
			await bench.end(new Error("no"));
			bench.input.set(before);
			bench.clock.pass(Math.min(waitMs, 60_000) - 1);
			expect(bench.seen).to.have.length(before);
			bench.clock.pass(1);
			expect(bench.seen).to.have.length(before + 1);
		}
		expect(bench.metrics.print()).to.match(
			/lateen_controller_retries_total\{controller="bench"\} 9/,
		);
	});

	it("looks at once after a change again when a step has worked", async () => {
		await bench.end(new Error("no"));
		bench.clock.pass(500);
		await bench.end();
		bench.input.set(7);
		expect(bench.seen).to.deep.equal([0, 0, 7]);
	});

	it("aborts the step of a process that is no longer leader, and looks at nothing until it is again", async () => {
		bench.leads.set(false);
		expect(bench.aborted).to.deep.equal([true]);
		await bench.end(new Error("aborted"));
		bench.input.set(1);
		bench.clock.pass(100_000);
		expect(bench.seen).to.deep.equal([0]);
		bench.leads.set(true);
		expect(bench.seen).to.deep.equal([0, 1]);
	});

	it("begins a new term without the failures of the last", async () => {
		await bench.end(new Error("no"));
		bench.leads.set(false);
		bench.leads.set(true);
		expect(bench.seen).to.have.length(2);
	});

	it("looks again when leadership came back during the last step of a term", async () => {
		bench.leads.set(false);
		bench.leads.set(true);
		expect(bench.seen).to.have.length(1);
		await bench.end(new Error("aborted"));
		expect(bench.seen).to.have.length(2);
	});
});
