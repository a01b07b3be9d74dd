import { conditionOf } from "../../api/status.ts";
import type { MetricsRegistry } from "../../observability/metrics.ts";
import type { MemoryStatusWriter } from "../../store/memory-writer.ts";

/** Makes the figure of how many objects are ready; it is counted when somebody looks. */
export function addStatusMetrics(
	registry: MetricsRegistry,
	statuses: MemoryStatusWriter,
): void {
	const gauge = registry.gauge(
		"lateen_objects_by_reason",
		"Objects with a status, by kind, status of their condition Ready and its reason.",
		["kind", "ready", "reason"],
	);
	const used = new Map<
		string,
		{ readonly kind: string; readonly ready: string; readonly reason: string }
	>();
	registry.beforePrint(() => {
		const counts = new Map<string, number>();
		for (const status of statuses.all.values()) {
			const ready = conditionOf(status, "Ready");
			if (ready === undefined) continue;
			const labels = {
				kind: status.ref.kind,
				ready: ready.status,
				reason: ready.reason,
			};
			const key = Object.values(labels).join(" ");
			used.set(key, labels);
			counts.set(key, (counts.get(key) ?? 0) + 1);
		}
		// What was there once goes on as 0: a series that ends looks like a server that is gone.
		for (const [key, labels] of used) gauge.set(counts.get(key) ?? 0, labels);
	});
}
