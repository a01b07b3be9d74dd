import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { QueueFigures } from "./queue-figures.ts";

function bench() {
	const clock = new TestClock();
	const metrics = new MetricsRegistry();
	let depth = 0;
	const queue = new QueueFigures(metrics, {
		controller: "mesh",
		depth: () => depth,
		clock,
	});
	return {
		clock,
		queue,
		setDepth: (now: number) => {
			depth = now;
		},
		figure: (name: string) =>
			Number(
				new RegExp(
					`^lateen_controller_${name}\\{controller="mesh"\\} (\\S+)$`,
					"m",
				).exec(metrics.print())?.[1],
			),
	};
}

describe("QueueFigures", () => {
	it("counts the wait from the first key, and work apart from it", () => {
		const { clock, queue, figure } = bench();
		queue.added();
		clock.pass(300);
		queue.added();
		clock.pass(200);
		queue.began();
		clock.pass(50);
		queue.ended();
		expect(figure("adds_total")).to.equal(2);
		expect(figure("wait_seconds_count")).to.equal(1);
		expect(figure("wait_seconds_sum")).to.equal(0.5);
		expect(figure("work_seconds_sum")).to.equal(0.05);
	});

	it("says how long the oldest has waited, or is worked on", () => {
		const { clock, queue, figure, setDepth } = bench();
		expect(figure("oldest_seconds")).to.equal(0);
		queue.added();
		setDepth(3);
		clock.pass(2000);
		expect(figure("oldest_seconds")).to.equal(2);
		expect(figure("queue_depth")).to.equal(3);
		queue.began();
		clock.pass(7000);
		expect(figure("oldest_seconds")).to.equal(7);
		queue.ended();
		expect(figure("oldest_seconds")).to.equal(0);
	});

	it("forgets what waits when somebody else does it", () => {
		const { clock, queue, figure } = bench();
		queue.added();
		clock.pass(9000);
		queue.dropped();
		expect(figure("oldest_seconds")).to.equal(0);
		queue.failed();
		expect(figure("retries_total")).to.equal(1);
	});
});
