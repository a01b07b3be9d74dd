import type { Labels, MetricsRegistry } from "../../observability/metrics.ts";
import { type ResourceType, sendOrder } from "../../xds/resource-type.ts";
import type { AdsFigures } from "../../xds/server/ads-options.ts";
import type { ConnectedProxies } from "../../xds/server/connected-proxies.ts";

const proxyKinds = ["sidecar", "gateway", "grpc"] as const;
const variants = ["delta", "sotw"] as const;

/** Makes the figures about what goes over the wire; the result is told what happens. */
export function addXdsMetrics(
	registry: MetricsRegistry,
	connected: ConnectedProxies,
): AdsFigures {
	const streams = registry.gauge(
		"lateen_xds_streams",
		"Open streams of proxies, by kind of proxy (sidecar, gateway or grpc) and variant of the protocol (delta or sotw).",
		["kind", "variant"],
	);
	const groups = proxyKinds.flatMap((kind) =>
		variants.map((variant) => ({ kind, variant })),
	);
	registry.beforePrint(() => {
		for (const group of groups) streams.set(0, group);
		for (const { proxy, variant } of connected.all()) {
			const group = groups.find(
				(one) => one.kind === proxy.kind && one.variant === variant,
			);
			if (group !== undefined) streams.add(1, group);
		}
	});
	const responses = registry.counter(
		"lateen_xds_responses_total",
		"Responses handed over for writing, by type.",
		["type"],
	);
	const resources = registry.counter(
		"lateen_xds_resources_total",
		"Resources and removals in those responses, by type.",
		["type"],
	);
	const bytes = registry.counter(
		"lateen_xds_sent_bytes_total",
		"Bytes of those responses, by type.",
		["type"],
	);
	const acknowledged = registry.counter(
		"lateen_xds_acknowledged_total",
		"Responses that proxies acknowledged, by type.",
		["type"],
	);
	const rejected = registry.counter(
		"lateen_xds_rejected_total",
		"Responses that proxies refused, by type.",
		["type"],
	);
	const labels: { readonly [T in ResourceType]: Labels<"type"> } = {
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
