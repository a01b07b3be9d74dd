import { type ObjectRef, printRef } from "../../api/object-ref.ts";
import { TrafficDirection } from "../../gen/envoy/envoy/config/core/v3/base_pb.js";
import { memoByInput } from "../../lib/memo.ts";
import type { CallerRule } from "../../mesh/caller.ts";
import type { Endpoint } from "../../mesh/endpoint.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import {
	carriesHttp,
	type Service,
	type ServicePort,
} from "../../mesh/service.ts";
import type { Resource } from "../resource.ts";
import {
	type FilterChainInit,
	needsServerName,
	sniffedFilterChains,
	tcpFilterChains,
} from "./filter-chain.ts";
import {
	httpConnectionManager,
	type NetworkFilter,
} from "./http-connection-manager.ts";
import { sniffing, sniffingElsewhere } from "./inbound-listener.ts";
import {
	type ListenerInit,
	listenAddress,
	listenerResource,
} from "./listener.ts";
import { plainHttp } from "./listener-filters.ts";
import {
	blackholeCluster,
	capturedListenerName,
	clusterName,
	passthroughCluster,
	portRouteName,
} from "./names.ts";
import { clustersOf, originsOf } from "./route.ts";
import { refusingRoutes } from "./route-configuration.ts";
import { tcpProxy } from "./tcp-proxy.ts";

/** Port of a captured sidecar to which iptables sends what goes out. */
export const outboundCapturePort = 15001;

/** The rules of a port as they apply to the caller. */
export type RulesOf = (
	service: Service,
	port: ServicePort,
) => readonly CallerRule[];

/** Numbers of all ports that some service has, in order. */
const portsOfServices = memoByInput(
	(services: Mesh["services"]): readonly number[] => {
		const numbers = new Set<number>();
		for (const { ports } of services.values()) {
			for (const { number } of ports) numbers.add(number);
		}
		return [...numbers].sort((a, b) => a - b);
	},
);

/** Numbers of all ports on which some service speaks HTTP: each has a route configuration. */
export function httpPortsOf(mesh: Mesh): number[] {
	const numbers = new Set<number>();
	for (const { ports } of mesh.services.values()) {
		for (const port of ports) {
			if (carriesHttp(port.protocol)) numbers.add(port.number);
		}
	}
	return [...numbers].sort((a, b) => a - b);
}

/**
 * The listeners of what goes out of a captured workload.
 *
 * One is bound; the others only take over connections whose original
 * destination is their address: `0.0.0.0_<port>` for every HTTP port, and one
 * for each address and port of a service that is not plain HTTP. Where unknown
 * hosts are refused, every port of a service has one of the former: it tells
 * HTTP from the rest, to say why.
 */
export function capturedOutboundListeners(
	mesh: Mesh,
	rulesOf: RulesOf,
): Resource[] {
	const listeners = new Map<string, Resource>();
	const add = (listener: Resource) => {
		// Two services with one address and port were told apart when the mesh was built.
		if (!listeners.has(listener.name)) listeners.set(listener.name, listener);
	};
	add(virtualOutbound(mesh));
	const shared = new Map<number, FilterChainInit[]>();
	const share = (port: number, chains: readonly FilterChainInit[]) => {
		shared.set(port, [...(shared.get(port) ?? []), ...chains]);
	};
	for (const service of mesh.services.values()) {
		for (const port of service.ports) {
			if (
				port.protocol === "http" ||
				port.protocol === "http2" ||
				port.protocol === "grpc"
			)
				continue;
			const rules = rulesOf(service, port);
			for (const address of service.addresses) {
				if (address.includes("/")) {
					share(port.number, subnetChains(address, service, port, rules));
				} else {
					add(serviceListener(address, port.number, service, port, rules));
				}
			}
			if (service.addresses.length > 0) continue;
			if (service.resolution === "headless") {
				for (const endpoint of mesh.endpoints.get(service.hostname) ?? []) {
					const listener = headlessListener(endpoint, service, port, rules);
					if (listener) add(listener);
				}
			} else if (port.protocol === "tls" && !port.tls) {
				share(port.number, serverNameChains(service, port, rules));
			}
		}
	}
	const httpPorts = new Set(httpPortsOf(mesh));
	const refused = refusesUnknown(mesh) ? portsOfServices(mesh.services) : [];
	const hasIpv6 = [...mesh.services.values()].some(({ addresses }) =>
		addresses.some((address) => address.includes(":")),
	);
	for (const number of new Set([...httpPorts, ...shared.keys(), ...refused])) {
		add(
			sharedListener({
				port: number,
				http: httpPorts.has(number) ? httpFilter(number) : refusal(mesh),
				chains: shared.get(number) ?? [],
				fallback: fallbackCluster(mesh),
				hasIpv6,
			}),
		);
	}
	return [...listeners.values()];
}

function refusesUnknown(mesh: Mesh): boolean {
	return mesh.options.outboundTraffic === "RegistryOnly";
}

function fallbackCluster(mesh: Mesh): string {
	return refusesUnknown(mesh) ? blackholeCluster : passthroughCluster;
}

/** Answers HTTP with a sentence where the rest is cut; undefined where nothing is. */
function refusal(mesh: Mesh): NetworkFilter | undefined {
	return refusesUnknown(mesh)
		? httpConnectionManager("outbound", "outbound_unknown", {
				kind: "inline",
				routes: refusingRoutes(),
			})
		: undefined;
}

/**
 * The bound listener of what goes out.
 *
 * @param any the address for any, in brackets for IPv6
 */
export function virtualOutbound(
	mesh: Mesh,
	name = "virtual_outbound",
	any: "0.0.0.0" | "[::]" = "0.0.0.0",
): Resource {
	const http = refusal(mesh);
	return listenerResource({
		name,
		address: listenAddress(`${any}:${outboundCapturePort}`),
		trafficDirection: TrafficDirection.OUTBOUND,
		useOriginalDst: true,
		// All connections pass here first; those to ports of services are left to the listeners that take them over.
		...(http && sniffingElsewhere(portsOfServices(mesh.services))),
		filterChains: [
			// A connection straight to this port would come back to it for ever.
			{
				name: "loop",
				filterChainMatch: { destinationPort: outboundCapturePort },
				filters: [tcpProxy("outbound_loop", blackholeCluster)],
			},
			...(http ? [plainHttpChain(http)] : []),
		],
		defaultFilterChain: {
			name: "unknown",
			filters: [tcpProxy("outbound_unknown", fallbackCluster(mesh))],
		},
	});
}

/** Every HTTP service of a port, those told by their TLS server name or subnet, and whatever else uses the port. */
function sharedListener(init: {
	readonly port: number;
	readonly http: NetworkFilter | undefined;
	readonly chains: readonly FilterChainInit[];
	readonly fallback: string;
	readonly hasIpv6: boolean;
}): Resource {
	const { port, http, chains, fallback, hasIpv6 } = init;
	return unbound("0.0.0.0", port, {
		...(hasIpv6 && {
			additionalAddresses: [{ address: listenAddress(`[::]:${port}`) }],
		}),
		...sniffing("protocol"),
		filterChains: [...(http ? [plainHttpChain(http)] : []), ...chains],
		defaultFilterChain: {
			name: "unknown",
			filters: [tcpProxy(`outbound_0.0.0.0_${port}`, fallback)],
		},
	});
}

function plainHttpChain(filter: NetworkFilter): FilterChainInit {
	return { name: "http", filterChainMatch: plainHttp, filters: [filter] };
}

function httpFilter(port: number): NetworkFilter {
	return httpConnectionManager("outbound", `outbound_0.0.0.0_${port}`, {
		kind: "rds",
		name: portRouteName(port),
	});
}

/** One address and port of a service that is TCP, TLS, or not known. */
function serviceListener(
	address: string,
	number: number,
	service: Service,
	port: ServicePort,
	rules: readonly CallerRule[],
	wholeCluster = clusterName(service.hostname, port.number, ""),
): Resource {
	const chains = tcpFilterChains(
		statPrefixOf(service, number),
		rules,
		wholeCluster,
	);
	return unbound(
		address,
		number,
		port.protocol === "sniffed"
			? {
					...sniffing("protocol"),
					filterChains: sniffedFilterChains(
						{ name: "http", filter: httpFilter(number) },
						chains,
					),
				}
			: {
					...sniffing(needsServerName(rules) ? "serverName" : "nothing"),
					filterChains: chains,
				},
		[service.origin, ...originsOf(rules)],
		[wholeCluster, ...clustersOf(rules)],
	);
}

/** A service whose addresses are a subnet: Envoy hands connections over by single address only, so it shares its port's listener. */
function subnetChains(
	subnet: string,
	service: Service,
	port: ServicePort,
	rules: readonly CallerRule[],
): FilterChainInit[] {
	const statPrefix = statPrefixOf(service, port.number);
	return tcpFilterChains(
		statPrefix,
		rules,
		clusterName(service.hostname, port.number, ""),
		{ subnet },
	).map((chain) => ({
		...chain,
		name: `${statPrefix} ${subnet} ${chain.name}`,
	}));
}

function statPrefixOf(service: Service, port: number): string {
	return `outbound_${port}_${service.hostname}`;
}

/** Clients of a headless service choose the endpoint themselves; without a rule they get just that one. */
function headlessListener(
	endpoint: Endpoint,
	service: Service,
	port: ServicePort,
	rules: readonly CallerRule[],
): Resource | undefined {
	const number = endpoint.ports.get(port.number);
	if (number === undefined) return undefined;
	return serviceListener(
		endpoint.address,
		number,
		service,
		port,
		rules,
		passthroughCluster,
	);
}

function serverNameChains(
	service: Service,
	port: ServicePort,
	rules: readonly CallerRule[],
): FilterChainInit[] {
	const statPrefix = statPrefixOf(service, port.number);
	return tcpFilterChains(
		statPrefix,
		rules,
		clusterName(service.hostname, port.number, ""),
		{ serverName: service.hostname },
	).map((chain) => ({ ...chain, name: `${statPrefix} ${chain.name}` }));
}

function unbound(
	address: string,
	port: number,
	init: ListenerInit,
	origins: readonly ObjectRef[] = [],
	clusters: readonly string[] = [],
): Resource {
	return listenerResource(
		{
			name: capturedListenerName(address, port),
			address: listenAddress(
				address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`,
			),
			bindToPort: false,
			trafficDirection: TrafficDirection.OUTBOUND,
			...init,
		},
		distinct(origins),
		clusters,
	);
}

function distinct(origins: readonly ObjectRef[]): ObjectRef[] {
	return [...new Map(origins.map((ref) => [printRef(ref), ref])).values()];
}
