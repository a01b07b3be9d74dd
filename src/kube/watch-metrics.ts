import type {
	Counter,
	Gauge,
	MetricsRegistry,
} from "../observability/metrics.ts";

/** Figures about all watches of one process; each has the label `resource`. */
export interface WatchMetrics {
	/** What came; with the label `event`. */
	readonly events: Counter<"resource" | "event">;
	/** What was asked; with the label `request`. */
	readonly requests: Counter<"resource" | "request">;
	/** What went wrong; with the label `code`. */
	readonly failures: Counter<"resource" | "code">;
	readonly objects: Gauge<"resource">;
	/** 1 while a kind is current, 0 while something is in the way. */
	readonly current: Gauge<"resource">;
}

/** Makes the figures; once for each registry. */
export function addWatchMetrics(registry: MetricsRegistry): WatchMetrics {
	return {
		events: registry.counter(
			"lateen_kube_watch_events_total",
			"Events that came from the API server, by resource and by what became of them: changed, same, deleted, bookmark.",
			["resource", "event"],
		),
		requests: registry.counter(
			"lateen_kube_watch_requests_total",
			"Requests to list or watch, by resource and kind of request: stream, page, follow, discover.",
			["resource", "request"],
		),
		failures: registry.counter(
			"lateen_kube_watch_failures_total",
			"Lists and watches that failed, by resource and code; the end of a watch that lasted is none.",
			["resource", "code"],
		),
		objects: registry.gauge(
			"lateen_kube_objects",
			"Objects that are kept, by resource.",
			["resource"],
		),
		current: registry.gauge(
			"lateen_kube_watch_current",
			"1 while the objects of a resource are current, 0 while something is in the way.",
			["resource"],
		),
	};
}
