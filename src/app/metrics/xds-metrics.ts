import type { Labels, MetricsRegistry } from "../../observability/metrics.ts";
import { type ResourceType, sendOrder } from "../../xds/resource-type.ts";
import type { AdsFigures } from "../../xds/server/ads-options.ts";
import type { ConnectedProxies } from "../../xds/server/connected-proxies.ts";

/** Makes the figures about what goes over the wire; the result is told what happens. */
export function addXdsMetrics(
	registry: MetricsRegistry,
	connected: ConnectedProxies,
): AdsFigures {
	const streams = registry.gauge(
		"lateen_xds_streams",
		"Open streams of proxies.",
	);
	registry.beforePrint(() => streams.set(connected.size));
	const responses = registry.counter(
		"lateen_xds_responses_total",
		"Responses handed over for writing, by type.",
	);
	const resources = registry.counter(
		"lateen_xds_resources_total",
		"Resources and removals in those responses, by type.",
	);
	const bytes = registry.counter(
		"lateen_xds_sent_bytes_total",
		"Bytes of those responses, by type.",
	);
	const acknowledged = registry.counter(
		"lateen_xds_acknowledged_total",
		"Responses that proxies acknowledged, by type.",
	);
	const rejected = registry.counter(
		"lateen_xds_rejected_total",
		"Responses that proxies refused, by type.",
	);
	const labels: { readonly [T in ResourceType]: Labels } = {
		cluster: { type: "cluster" },
		endpoint: { type: "endpoint" },
		listener: { type: "listener" },
		route: { type: "route" },
		virtualHost: { type: "virtualHost" },
	};
	// Every type is there from the start, or a rate() over it would miss its first step.
	for (const type of sendOrder)
		for (const figure of [responses, resources, bytes, acknowledged, rejected])
			figure.add(0, labels[type]);
	return {
		sent: (type, count, size) => {
			responses.add(1, labels[type]);
			resources.add(count, labels[type]);
			bytes.add(size, labels[type]);
		},
		acknowledged: (type) => acknowledged.add(1, labels[type]),
		rejected: (type) => rejected.add(1, labels[type]),
	};
}
