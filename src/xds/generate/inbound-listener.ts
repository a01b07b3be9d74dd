import { TrafficDirection } from "../../gen/envoy/envoy/config/core/v3/base_pb.js";
import { carriesHttp, type Protocol } from "../../mesh/service.ts";
import type { InboundPort } from "../../mesh/workload.ts";
import type { ProxyAddresses } from "../proxy.ts";
import type { Resource } from "../resource.ts";
import { defaults } from "./defaults.ts";
import { duration } from "./duration.ts";
import type { FilterChainInit } from "./filter-chain.ts";
import {
	httpConnectionManager,
	type NetworkFilter,
} from "./http-connection-manager.ts";
import {
	type ListenerInit,
	listenAddress,
	listenerResource,
} from "./listener.ts";
import {
	httpInspector,
	originalDestination,
	plainHttp,
	tlsInspector,
} from "./listener-filters.ts";
import {
	blackholeCluster,
	inboundClusterName,
	inboundPassthroughCluster,
} from "./names.ts";
import { matchesAll } from "./route-match.ts";
import { tcpProxy } from "./tcp-proxy.ts";

/** Port of a captured sidecar to which iptables sends what comes in. */
export const inboundCapturePort = 15006;

/** The listener in front of each port of an explicit proxy's application. */
export function explicitInboundListeners(
	addresses: ProxyAddresses,
): Resource[] {
	return addresses.inbound.map(({ listen, application, protocol }) => {
		const cluster = inboundClusterName(application);
		const chains = inboundChains(
			protocol,
			`inbound_${application}`,
			cluster,
			{},
		);
		return listenerResource({
			name: `inbound_${listen}`,
			address: listenAddress(listen),
			trafficDirection: TrafficDirection.INBOUND,
			...sniffing(protocol === "sniffed"),
			filterChains: chains,
		});
	});
}

/** The listener that takes everything that comes to a captured workload. */
export function capturedInboundListener(
	ports: readonly InboundPort[],
): Resource {
	return listenerResource({
		name: "virtual_inbound",
		address: listenAddress(`0.0.0.0:${inboundCapturePort}`),
		trafficDirection: TrafficDirection.INBOUND,
		...sniffing(true),
		listenerFilters: [originalDestination, tlsInspector, httpInspector],
		filterChains: [
			// A connection straight to this port would come back to it for ever.
			{
				name: "loop",
				filterChainMatch: { destinationPort: inboundCapturePort },
				filters: [tcpProxy("inbound_loop", blackholeCluster)],
			},
			...ports.flatMap(({ port, protocol }) =>
				inboundChains(protocol, `inbound_${port}`, inboundPassthroughCluster, {
					destinationPort: port,
				}),
			),
		],
		defaultFilterChain: {
			name: "passthrough",
			filters: [tcpProxy("inbound_passthrough", inboundPassthroughCluster)],
		},
	});
}

function inboundChains(
	protocol: Protocol,
	statPrefix: string,
	cluster: string,
	match: { readonly destinationPort?: number },
): FilterChainInit[] {
	const tcp: FilterChainInit = {
		name: `${statPrefix}_tcp`,
		filterChainMatch: match,
		filters: [tcpProxy(statPrefix, cluster)],
	};
	if (!carriesHttp(protocol)) return [tcp];
	const filters = [inboundHttp(statPrefix, cluster)];
	return protocol === "sniffed"
		? [
				{
					name: `${statPrefix}_http`,
					filterChainMatch: { ...match, ...plainHttp },
					filters,
				},
				tcp,
			]
		: [{ name: `${statPrefix}_http`, filterChainMatch: match, filters }];
}

function inboundHttp(statPrefix: string, cluster: string): NetworkFilter {
	return httpConnectionManager("inbound", statPrefix, {
		kind: "inline",
		routes: {
			name: statPrefix,
			validateClusters: false,
			virtualHosts: [
				{
					name: statPrefix,
					domains: ["*"],
					routes: [
						{
							name: "inbound",
							match: matchesAll,
							action: {
								case: "route",
								value: {
									clusterSpecifier: { case: "cluster", value: cluster },
									timeout: duration(defaults.requestTimeoutMs),
									retryPolicy: {
										// The application closed an idle connection just then: it saw nothing of the request.
										retryOn: "reset-before-request",
										numRetries: 1,
									},
								},
							},
						},
					],
				},
			],
		},
	});
}

/** Looks at the first bytes of a connection, and goes on without when none come. */
export function sniffing(
	sniff: boolean,
): Pick<
	ListenerInit,
	| "listenerFilters"
	| "listenerFiltersTimeout"
	| "continueOnListenerFiltersTimeout"
> {
	if (!sniff) return {};
	return {
		listenerFilters: [tlsInspector, httpInspector],
		listenerFiltersTimeout: duration(defaults.protocolDetectionTimeoutMs),
		continueOnListenerFiltersTimeout: true,
	};
}
