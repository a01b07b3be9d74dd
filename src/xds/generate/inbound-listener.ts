import { TrafficDirection } from "../../gen/envoy/envoy/config/core/v3/base_pb.js";
import { carriesHttp, type Protocol } from "../../mesh/service.ts";
import type { InboundPort } from "../../mesh/workload.ts";
import type { ProxyAddresses } from "../proxy.ts";
import type { Resource } from "../resource.ts";
import { defaults } from "./defaults.ts";
import { duration } from "./duration.ts";
import { type FilterChainInit, sniffedFilterChains } from "./filter-chain.ts";
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
	exceptOnPorts,
	httpInspector,
	type ListenerFilter,
	onlyOnPorts,
	originalDestination,
	tlsInspector,
} from "./listener-filters.ts";
import {
	blackholeCluster,
	inboundClusterName,
	inboundPassthroughCluster,
} from "./names.ts";
import { matchesAll, matchesConnect } from "./route-match.ts";
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
			...sniffing(protocol === "sniffed" ? "protocol" : "nothing"),
			filterChains: chains,
		});
	});
}

/**
 * The listener that takes everything that comes to a captured workload.
 *
 * @param any the address for any, in brackets for IPv6
 */
export function capturedInboundListener(
	ports: readonly InboundPort[],
	name = "virtual_inbound",
	any: "0.0.0.0" | "[::]" = "0.0.0.0",
): Resource {
	return listenerResource({
		name,
		address: listenAddress(`${any}:${inboundCapturePort}`),
		trafficDirection: TrafficDirection.INBOUND,
		...sniffingOn(
			ports
				.filter(({ protocol }) => protocol === "sniffed")
				.map(({ port }) => port),
		),
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
	const name = `${statPrefix}_http`;
	const filter = inboundHttp(statPrefix, cluster);
	return protocol === "sniffed"
		? sniffedFilterChains({ name, filter }, [tcp])
		: [{ name, filterChainMatch: match, filters: [filter] }];
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
						{
							// Whether callers may is their rules' choice; here the application decides, as it would without a proxy.
							name: "inbound, tunnel",
							match: matchesConnect,
							action: {
								case: "route",
								value: {
									clusterSpecifier: { case: "cluster", value: cluster },
									timeout: duration(defaults.requestTimeoutMs),
									upgradeConfigs: [{ upgradeType: "CONNECT", enabled: true }],
								},
							},
						},
					],
				},
			],
		},
	});
}

type Sniffing = Pick<
	ListenerInit,
	| "listenerFilters"
	| "listenerFiltersTimeout"
	| "continueOnListenerFiltersTimeout"
>;

/**
 * Looks at the first bytes of a connection, and goes on without when none come.
 *
 * To learn what is spoken it waits for a whole line of text; for the TLS server
 * name the first few bytes tell that there is none.
 */
export function sniffing(
	what: "nothing" | "serverName" | "protocol",
): Sniffing {
	switch (what) {
		case "nothing":
			return {};
		case "serverName":
			return listenerFilters([tlsInspector]);
		case "protocol":
			return listenerFilters([tlsInspector, httpInspector]);
	}
}

/** Recovers the original destination, and looks at the first bytes for these ports only: elsewhere the server may be the one to speak first. */
function sniffingOn(ports: readonly number[]): Sniffing {
	return listenerFilters([
		originalDestination,
		...(ports.length > 0
			? [tlsInspector, httpInspector].map((filter) =>
					onlyOnPorts(filter, ports),
				)
			: []),
	]);
}

/** Recovers the original destination, and looks at the first bytes of what goes to other ports than these. */
export function sniffingElsewhere(ports: readonly number[]): Sniffing {
	return listenerFilters([
		originalDestination,
		...[tlsInspector, httpInspector].map((filter) =>
			exceptOnPorts(filter, ports),
		),
	]);
}

function listenerFilters(filters: ListenerFilter[]): Sniffing {
	return {
		listenerFilters: filters,
		listenerFiltersTimeout: duration(defaults.protocolDetectionTimeoutMs),
		continueOnListenerFiltersTimeout: true,
	};
}
