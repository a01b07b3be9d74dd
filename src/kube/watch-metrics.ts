import type {
	Counter,
	Gauge,
	MetricsRegistry,
} from "../observability/metrics.ts";

/** Figures about all watches of one process; each has the label `resource`. */
export interface WatchMetrics {
	/** What came; with the label `event`. */
	readonly events: Counter;
	/** What was asked; with the label `request`. */
	readonly requests: Counter;
	/** What went wrong; with the label `code`. */
	readonly failures: Counter;
	readonly objects: Gauge;
	/** 1 while a kind is current, 0 while something is in the way. */
	readonly current: Gauge;
}

/** Makes the figures; once for each registry. */
export function addWatchMetrics(registry: MetricsRegistry): WatchMetrics {
	return {
		events: registry.counter(
			"lateen_kube_watch_events_total",
			"Events that came from the API server, by resource and by what became of them: changed, same, deleted, bookmark.",
		),
		requests: registry.counter(
			"lateen_kube_watch_requests_total",
			"Requests to list or watch, by resource and kind of request: stream, page, follow, discover.",
		),
		failures: registry.counter(
			"lateen_kube_watch_failures_total",
			"Lists and watches that failed, by resource and code; the end of a watch that lasted is none.",
		),
		objects: registry.gauge(
			"lateen_kube_objects",
			"Objects that are kept, by resource.",
		),
		current: registry.gauge(
			"lateen_kube_watch_current",
			"1 while the objects of a resource are current, 0 while something is in the way.",
		),
	};
}
