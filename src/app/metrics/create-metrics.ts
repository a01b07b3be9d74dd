import type { LogControl } from "../../observability/log-control.ts";
import { addLogMetrics } from "../../observability/log-metrics.ts";
import { MetricsRegistry } from "../../observability/metrics.ts";
import { addProcessMetrics } from "../../observability/process-metrics.ts";
import type { Stops } from "../lifecycle/stops.ts";
import { addBuildInfo } from "./build-info.ts";

/** The figures of a server, with those that every process has. */
export function createMetrics(logs: LogControl, stops: Stops): MetricsRegistry {
	const metrics = new MetricsRegistry();
	addBuildInfo(metrics);
	addLogMetrics(metrics, logs);
	stops.add(addProcessMetrics(metrics));
	return metrics;
}
