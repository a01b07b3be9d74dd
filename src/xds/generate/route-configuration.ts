import type { ObjectRef } from "../../api/object-ref.ts";
import {
	type RouteConfigurationSchema as ConfigurationSchema,
	RouteConfigurationSchema,
} from "../../gen/envoy/envoy/config/route/v3/route_pb.js";
import type { MeshOptions } from "../../mesh/mesh.ts";
import type { Resource } from "../resource.ts";
import { adsConfigSource } from "./cluster.ts";
import { defaults } from "./defaults.ts";
import { duration } from "./duration.ts";
import type { Init } from "./init.ts";
import { makeResource } from "./make-resource.ts";
import {
	dynamicForwardProxyCluster,
	forwardProxyRouteName,
	passthroughCluster,
} from "./names.ts";
import { directResponse, type RouteInit } from "./route.ts";
import { matchesAll, matchesConnect } from "./route-match.ts";
import type { VirtualHostInit } from "./virtual-host.ts";

/** A route configuration, before encoding. */
export type RouteConfigurationInit = Init<typeof ConfigurationSchema>;

/** What the fallback of a route configuration depends on. */
export interface OutboundRoutes {
	readonly name: string;
	readonly outboundTraffic: MeshOptions["outboundTraffic"];
	/** The virtual hosts come as resources of their own (VHDS). */
	readonly virtualHostsFollow: boolean;
}

/**
 * The routes of outbound traffic without the virtual hosts of services: what
 * holds for hosts that no service has.
 *
 * The fallback stands here and not among the pushed virtual hosts, so that it is
 * there however few of those a proxy has got so far.
 */
export function outboundRoutes(routes: OutboundRoutes): RouteConfigurationInit {
	const explicit = routes.name === forwardProxyRouteName;
	return {
		name: routes.name,
		virtualHosts: [
			explicit
				? forwardProxyFallback(routes.outboundTraffic)
				: capturedFallback(routes.outboundTraffic),
		],
		...(explicit ? undefined : { ignorePortInHostMatching: true }),
		...(routes.virtualHostsFollow
			? { vhds: { configSource: adsConfigSource } }
			: undefined),
	};
}

/** The routes of requests on a port that no service has, in a mesh that allows no unknown hosts. */
export function refusingRoutes(): RouteConfigurationInit {
	return { name: "unknown", virtualHosts: [refuseUnknown()] };
}

/** `outboundRoutes` as a resource. */
export function outboundRoutesResource(routes: OutboundRoutes): Resource {
	return routeConfigurationResource(outboundRoutes(routes), []);
}

/**
 * Any route configuration as a resource.
 *
 * @param clusters what `Resource.clusters` says
 */
export function routeConfigurationResource(
	init: RouteConfigurationInit,
	origins: readonly ObjectRef[],
	clusters: readonly string[] = [],
): Resource {
	return makeResource(
		RouteConfigurationSchema,
		init.name ?? "",
		init,
		origins,
		clusters,
	);
}

const unknownHost =
	"No service of the mesh has this host, and the mesh allows no others (Mesh default: outboundTraffic is RegistryOnly). Add an ExternalService for it.\n";

function capturedFallback(
	outboundTraffic: MeshOptions["outboundTraffic"],
): VirtualHostInit {
	return outboundTraffic === "AllowAny"
		? fallback([toUnknown(passthroughCluster)])
		: refuseUnknown();
}

function forwardProxyFallback(
	outboundTraffic: MeshOptions["outboundTraffic"],
): VirtualHostInit {
	if (outboundTraffic === "RegistryOnly") return refuseUnknown();
	return fallback([
		{
			name: "unknown host, tunnel",
			match: matchesConnect,
			action: {
				case: "route",
				value: {
					clusterSpecifier: {
						case: "cluster",
						value: dynamicForwardProxyCluster,
					},
					upgradeConfigs: [
						{ upgradeType: "CONNECT", enabled: true, connectConfig: {} },
					],
				},
			},
		},
		toUnknown(dynamicForwardProxyCluster),
	]);
}

function fallback(routes: RouteInit[]): VirtualHostInit {
	return { name: "fallback", domains: ["*"], routes };
}

function toUnknown(cluster: string): RouteInit {
	return {
		name: "unknown host",
		match: matchesAll,
		action: {
			case: "route",
			value: {
				clusterSpecifier: { case: "cluster", value: cluster },
				timeout: duration(defaults.requestTimeoutMs),
			},
		},
	};
}

function refuseUnknown(): VirtualHostInit {
	return fallback([
		{
			name: "unknown host",
			match: matchesConnect,
			action: directResponse(502, unknownHost),
		},
		{
			name: "unknown host",
			match: matchesAll,
			action: directResponse(502, unknownHost),
		},
	]);
}
