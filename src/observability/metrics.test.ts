import { expect } from "chai";
import { MetricsRegistry } from "./metrics.ts";
import { addProcessMetrics } from "./process-metrics.ts";

describe("MetricsRegistry", () => {
	it("prints a counter that was never touched as 0", () => {
		const registry = new MetricsRegistry();
		registry.counter("lateen_builds_total", "Builds of the mesh.");
		expect(registry.print()).to.equal(
			"# HELP lateen_builds_total Builds of the mesh.\n# TYPE lateen_builds_total counter\nlateen_builds_total 0\n",
		);
	});

	it("keeps one value for each combination of labels", () => {
		const registry = new MetricsRegistry();
		const acks = registry.counter("acks_total", "Acknowledgements.", ["type"]);
		acks.add(2, { type: "cluster" });
		acks.add(1, { type: "listener" });
		acks.add(1, { type: "cluster" });
		expect(registry.print()).to.include('acks_total{type="cluster"} 3\n');
		expect(registry.print()).to.include('acks_total{type="listener"} 1\n');
	});

	it("escapes what would end a label value or a line", () => {
		const registry = new MetricsRegistry();
		registry
			.gauge("g", "A \\ and a\nline.", ["name"])
			.set(1, { name: 'a"b\\c\nd' });
		expect(registry.print()).to.include("# HELP g A \\\\ and a\\nline.");
		expect(registry.print()).to.include('g{name="a\\"b\\\\c\\nd"} 1');
	});

	it("counts a value in its bucket and all wider ones", () => {
		const registry = new MetricsRegistry();
		const seconds = registry.histogram("build_seconds", "Time.", [0.1, 1]);
		for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe(value);
		expect(registry.print().split("\n").slice(2, 7)).to.deep.equal([
			'build_seconds_bucket{le="0.1"} 2',
			'build_seconds_bucket{le="1"} 3',
			'build_seconds_bucket{le="+Inf"} 4',
			"build_seconds_sum 7.65",
			"build_seconds_count 4",
		]);
	});

	it("gives the figure that is there to whoever makes it with the same words", () => {
		const registry = new MetricsRegistry();
		const make = () => registry.counter("a_total", "Some.", ["of"]);
		make().add(1, { of: "x" });
		make().add(2, { of: "x" });
		expect(registry.print()).to.include('a_total{of="x"} 3\n');
		expect(registry.print().match(/# TYPE/g)).to.have.length(1);
	});

	it("counts what has too many different labels as other", () => {
		const registry = new MetricsRegistry();
		const counter = registry.counter("a_total", "Some.", ["of"]);
		for (let at = 0; at < 10_000; at++) counter.add(1, { of: `x${at}` });
		counter.add(5, { of: "x0" });
		const lines = registry.print().trim().split("\n");
		expect(lines).to.have.length(503);
		expect(lines).to.include('a_total{of="x0"} 6');
		expect(lines).to.include('a_total{of="other"} 9500');
	});

	it("refuses another metric of the same name and a counter that shrinks", () => {
		const registry = new MetricsRegistry();
		const counter = registry.counter("a_total", "");
		expect(() => registry.gauge("a_total", "")).to.throw("exists already");
		expect(() => registry.counter("a_total", "Else.")).to.throw(
			"exists already",
		);
		expect(() => counter.add(-1)).to.throw("cannot shrink");
	});

	it("shows memory, CPU time and event-loop delay of this process", () => {
		const registry = new MetricsRegistry();
		const stop = addProcessMetrics(registry);
		const text = registry.print();
		stop();
		const rss = Number(
			/^process_resident_memory_bytes (\d+)$/m.exec(text)?.[1],
		);
		expect(rss).to.be.greaterThan(10_000_000);
		expect(text).to.match(/^process_cpu_seconds_total \d/m);
		expect(text).to.match(
			/^lateen_event_loop_delay_seconds\{statistic="p99"\} \d/m,
		);
	});
});
