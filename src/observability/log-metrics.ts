import type { LogControl } from "./log-control.ts";
import type { MetricsRegistry } from "./metrics.ts";

/** Makes the figure of how much is logged. */
export function addLogMetrics(
	registry: MetricsRegistry,
	control: LogControl,
): void {
	const lines = registry.counter(
		"lateen_log_lines_total",
		"Lines of the log, by level.",
		["level"],
	);
	const counted = new Map<string, number>();
	registry.beforePrint(() => {
		for (const [level, count] of control.lines) {
			lines.add(count - (counted.get(level) ?? 0), { level });
			counted.set(level, count);
		}
	});
}
