import type { LogControl } from "../../observability/log-control.ts";
import { addLogMetrics } from "../../observability/log-metrics.ts";
import { MetricsRegistry } from "../../observability/metrics.ts";
import { addProcessMetrics } from "../../observability/process-metrics.ts";
import { programVersion } from "../../settings/program-version.ts";
import type { Stops } from "../lifecycle/stops.ts";

/** The figures of a server, with those that every process has. */
export function createMetrics(logs: LogControl, stops: Stops): MetricsRegistry {
	const metrics = new MetricsRegistry();
	addBuildInfo(metrics);
	addLogMetrics(metrics, logs);
	stops.add(addProcessMetrics(metrics));
	return metrics;
}

function addBuildInfo(registry: MetricsRegistry): void {
	registry
		.gauge(
			"lateen_build_info",
			"Always 1; the labels say which version of Lateen runs on which version of Node.js.",
			["version", "node"],
		)
		.set(1, { version: programVersion, node: process.versions.node });
}
