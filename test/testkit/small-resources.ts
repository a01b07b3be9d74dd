import type { MessageInitShape } from "@bufbuild/protobuf";
import {
	Cluster_DiscoveryType,
	ClusterSchema,
} from "../../src/gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import { ApiVersion } from "../../src/gen/envoy/envoy/config/core/v3/config_source_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/gen/envoy/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/gen/envoy/envoy/config/listener/v3/listener_pb.js";
import { VirtualHostSchema } from "../../src/gen/envoy/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../../src/gen/envoy/envoy/config/route/v3/route_pb.js";
import { RouterSchema } from "../../src/gen/envoy/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../../src/gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { pack } from "../../src/xds/generate/encode.ts";
import { makeResource } from "../../src/xds/generate/make-resource.ts";
import type { MemoryChange } from "./memory-resources.ts";

const ads = {
	resourceApiVersion: ApiVersion.V3,
	configSourceSpecifier: { case: "ads", value: {} },
} as const;

/** An EDS cluster. */
export function cluster(name: string, connectSeconds = 1): MemoryChange {
	return {
		type: "cluster",
		put: makeResource(
			ClusterSchema,
			name,
			{
				name,
				connectTimeout: { seconds: BigInt(connectSeconds) },
				clusterDiscoveryType: {
					case: "type",
					value: Cluster_DiscoveryType.EDS,
				},
				edsClusterConfig: { edsConfig: ads },
			},
			[],
		),
	};
}

/** One endpoint on loopback, for the cluster of this name. */
export function endpoints(name: string, port: number): MemoryChange {
	const address = {
		case: "socketAddress",
		value: {
			address: "127.0.0.1",
			portSpecifier: { case: "portValue", value: port },
		},
	} as const;
	return {
		type: "endpoint",
		put: makeResource(
			ClusterLoadAssignmentSchema,
			name,
			{
				clusterName: name,
				endpoints: [
					{
						lbEndpoints: [
							{
								hostIdentifier: {
									case: "endpoint",
									value: { address: { address } },
								},
							},
						],
					},
				],
			},
			[],
		),
	};
}

/** An HTTP listener on a port that Envoy chooses. */
export function listener(name: string, route: string): MemoryChange {
	const manager = pack(HttpConnectionManagerSchema, {
		statPrefix: name,
		routeSpecifier: {
			case: "rds",
			value: { configSource: ads, routeConfigName: route },
		},
		httpFilters: [
			{
				name: "router",
				configType: { case: "typedConfig", value: pack(RouterSchema, {}) },
			},
		],
	});
	return {
		type: "listener",
		put: makeResource(
			ListenerSchema,
			name,
			{
				name,
				address: {
					address: {
						case: "socketAddress",
						value: {
							address: "127.0.0.1",
							portSpecifier: { case: "portValue", value: 0 },
						},
					},
				},
				filterChains: [
					{
						filters: [
							{
								name: "http",
								configType: { case: "typedConfig", value: manager },
							},
						],
					},
				],
			},
			[],
		),
	};
}

/** A route configuration whose virtual hosts come as resources of their own. */
export function route(name: string): MemoryChange {
	return {
		type: "route",
		put: makeResource(
			RouteConfigurationSchema,
			name,
			{ name, vhds: { configSource: ads } },
			[],
		),
	};
}

function hostInit(name: string, domain: string, to: string) {
	return {
		name,
		domains: [domain],
		routes: [
			{
				match: { pathSpecifier: { case: "prefix", value: "/" } },
				action: {
					case: "route",
					value: { clusterSpecifier: { case: "cluster", value: to } },
				},
			},
		],
	} as const satisfies MessageInitShape<typeof VirtualHostSchema>;
}

/** A virtual host that sends everything to one cluster. */
export function virtualHost(
	name: string,
	domain: string,
	to: string,
): MemoryChange {
	return {
		type: "virtualHost",
		put: makeResource(
			VirtualHostSchema,
			name,
			hostInit(name, domain, to),
			[],
			[to],
		),
	};
}

/** A route configuration that holds its one virtual host. */
export function wholeRoute(
	name: string,
	domain: string,
	to: string,
): MemoryChange {
	return {
		type: "route",
		put: makeResource(
			RouteConfigurationSchema,
			name,
			{ name, virtualHosts: [hostInit("all", domain, to)] },
			[],
			[to],
		),
	};
}
