import {
	ClusterSchema,
	Cluster_DiscoveryType as DiscoveryType,
	Cluster_DnsLookupFamily as DnsLookupFamily,
	Cluster_LbPolicy as LbPolicy,
} from "../../gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import { ApiVersion } from "../../gen/envoy/envoy/config/core/v3/config_source_pb.js";
import { ClusterConfigSchema as DynamicForwardProxyClusterSchema } from "../../gen/envoy/envoy/extensions/clusters/dynamic_forward_proxy/v3/cluster_pb.js";
import { LeastRequestSchema } from "../../gen/envoy/envoy/extensions/load_balancing_policies/least_request/v3/least_request_pb.js";
import { MaglevSchema } from "../../gen/envoy/envoy/extensions/load_balancing_policies/maglev/v3/maglev_pb.js";
import {
	RingHash_HashFunction,
	RingHashSchema,
} from "../../gen/envoy/envoy/extensions/load_balancing_policies/ring_hash/v3/ring_hash_pb.js";
import { RoundRobinSchema } from "../../gen/envoy/envoy/extensions/load_balancing_policies/round_robin/v3/round_robin_pb.js";
import { WrrLocalitySchema } from "../../gen/envoy/envoy/extensions/load_balancing_policies/wrr_locality/v3/wrr_locality_pb.js";
import {
	SubjectAltNameMatcher_SanType as SanType,
	type SubjectAltNameMatcherSchema,
} from "../../gen/envoy/envoy/extensions/transport_sockets/tls/v3/common_pb.js";
import { UpstreamTlsContextSchema } from "../../gen/envoy/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { HttpProtocolOptionsSchema } from "../../gen/envoy/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import type { Endpoint } from "../../mesh/endpoint.ts";
import type {
	Protocol,
	Service,
	ServicePort,
	TlsOrigination,
} from "../../mesh/service.ts";
import type { Subset } from "../../mesh/subset.ts";
import type { Resource } from "../resource.ts";
import { defaults } from "./defaults.ts";
import { dnsCacheConfig } from "./dns-cache.ts";
import { duration } from "./duration.ts";
import { type Packed, pack } from "./encode.ts";
import { listsEndpoints, loadAssignment } from "./endpoint.ts";
import type { Init } from "./init.ts";
import { makeResource } from "./make-resource.ts";
import {
	blackholeCluster,
	clusterName,
	dynamicForwardProxyCluster,
	inboundClusterName,
	inboundPassthroughCluster,
	passthroughCluster,
	statName,
	unresolvedCluster,
} from "./names.ts";
import type { Attachment, ServiceView } from "./service-view.ts";

/** An Envoy cluster, before encoding. */
export type ClusterInit = Init<typeof ClusterSchema>;

/** The source of everything that comes from the control plane. */
export const adsConfigSource = {
	configSourceSpecifier: { case: "ads", value: {} },
	resourceApiVersion: ApiVersion.V3,
} as const;

/** The clusters of every port and subset of a service. */
export function clusterResources(
	view: ServiceView,
	attachment: Attachment,
): Resource[] {
	const { service, subsets } = view;
	return service.ports.flatMap((port) =>
		subsets.map((subset) =>
			makeResource(
				ClusterSchema,
				clusterName(service.hostname, port.number, subset.name),
				serviceCluster(view, port, subset, attachment),
				[service.origin],
			),
		),
	);
}

/** One cluster of a service. */
function serviceCluster(
	view: ServiceView,
	port: ServicePort,
	subset: Subset,
	attachment: Attachment,
): ClusterInit {
	const { service, endpoints } = view;
	const name = clusterName(service.hostname, port.number, subset.name);
	return {
		...discovery(name, service, endpoints, port, subset, attachment),
		altStatName: statName(name),
		...commonOptions(subset),
		...protocolOptions(port.protocol, defaults.upstreamIdleTimeoutMs, port.tls),
		...(port.tls && {
			transportSocket: tlsOrigination(port.tls, service.hostname),
		}),
	};
}

function discovery(
	name: string,
	service: Service,
	endpoints: readonly Endpoint[],
	port: ServicePort,
	subset: Subset,
	attachment: Attachment,
): ClusterInit {
	if (service.resolution === "passthrough") {
		return attachment === "captured"
			? originalDestination(name)
			: dynamicForwardProxy(name);
	}
	return listsEndpoints(service)
		? {
				name,
				clusterDiscoveryType: { case: "type", value: DiscoveryType.EDS },
				edsClusterConfig: { edsConfig: adsConfigSource },
				loadBalancingPolicy: loadBalancing(subset),
			}
		: {
				name,
				clusterDiscoveryType: { case: "type", value: DiscoveryType.STRICT_DNS },
				dnsLookupFamily: DnsLookupFamily.V4_PREFERRED,
				respectDnsTtl: true,
				loadAssignment: loadAssignment(name, endpoints, port.number, subset),
				loadBalancingPolicy: loadBalancing(subset),
			};
}

function originalDestination(name: string): ClusterInit {
	return {
		name,
		clusterDiscoveryType: { case: "type", value: DiscoveryType.ORIGINAL_DST },
		lbPolicy: LbPolicy.CLUSTER_PROVIDED,
	};
}

function dynamicForwardProxy(name: string): ClusterInit {
	return {
		name,
		lbPolicy: LbPolicy.CLUSTER_PROVIDED,
		clusterDiscoveryType: {
			case: "clusterType",
			value: {
				name: "envoy.clusters.dynamic_forward_proxy",
				typedConfig: pack(DynamicForwardProxyClusterSchema, {
					// Plain HTTP has no server name to check; where TLS is added, its own settings check it.
					allowInsecureClusterOptions: true,
					clusterImplementationSpecifier: {
						case: "dnsCacheConfig",
						value: dnsCacheConfig,
					},
				}),
			},
		},
	};
}

/**
 * Each policy is followed by its nearest relative that gRPC's own clients know:
 * Envoy takes the first, they take the first that they can.
 */
function loadBalancing(subset: Subset): ClusterInit["loadBalancingPolicy"] {
	return { policies: subset.hashed ? hashedPolicies : leastRequestPolicies };
}

const leastRequestPolicies = [
	lbPolicy(
		"least_request",
		pack(LeastRequestSchema, {
			localityLbConfig: {
				localityConfigSpecifier: {
					case: "localityWeightedLbConfig",
					value: {},
				},
			},
		}),
	),
	lbPolicy(
		"wrr_locality",
		pack(WrrLocalitySchema, {
			endpointPickingPolicy: {
				policies: [lbPolicy("round_robin", pack(RoundRobinSchema, {}))],
			},
		}),
	),
];

const hashedPolicies = [
	lbPolicy("maglev", pack(MaglevSchema, {})),
	lbPolicy(
		"ring_hash",
		pack(RingHashSchema, { hashFunction: RingHash_HashFunction.XX_HASH }),
	),
];

function lbPolicy(name: string, typedConfig: Packed) {
	return {
		typedExtensionConfig: {
			name: `envoy.load_balancing_policies.${name}`,
			typedConfig,
		},
	};
}

/** Every cluster has them: without, Envoy refuses what is beyond 1,024 of each. */
const ceilings = {
	maxConnections: defaults.maxConnections,
	maxPendingRequests: defaults.maxPendingRequests,
	maxRequests: defaults.maxRequests,
} as const;

function commonOptions(subset: Subset): ClusterInit {
	const budget = subset.retryBudget ?? {
		percent: defaults.retryBudgetPercent,
		minConcurrency: defaults.retryBudgetMinimum,
	};
	return {
		connectTimeout: duration(defaults.connectTimeoutMs),
		// With no healthy endpoint the answer is a clear 503, not a try at one that is known to be bad.
		commonLbConfig: { healthyPanicThreshold: { value: 0 } },
		circuitBreakers: {
			thresholds: [
				{
					...ceilings,
					retryBudget: {
						budgetPercent: { value: budget.percent },
						minRetryConcurrency: budget.minConcurrency,
					},
				},
			],
		},
		upstreamConnectionOptions,
	};
}

const upstreamConnectionOptions = {
	tcpKeepalive: {
		keepaliveTime: defaults.tcpKeepaliveTimeSeconds,
		keepaliveInterval: defaults.tcpKeepaliveIntervalSeconds,
		keepaliveProbes: defaults.tcpKeepaliveProbes,
	},
} as const;

const http2ProtocolOptions = {
	connectionKeepalive: {
		interval: duration(defaults.http2KeepaliveIntervalMs),
		timeout: duration(defaults.http2KeepaliveTimeoutMs),
	},
};

/** How the cluster's endpoints are spoken to. Clusters of plain TCP say nothing. */
function protocolOptions(
	protocol: Protocol,
	idleTimeoutMs: number,
	tls?: TlsOrigination,
): Pick<ClusterInit, "typedExtensionProtocolOptions"> {
	if ((protocol === "tcp" || protocol === "tls") && tls === undefined)
		return {};
	return {
		typedExtensionProtocolOptions: {
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(
				HttpProtocolOptionsSchema,
				{
					commonHttpProtocolOptions: { idleTimeout: duration(idleTimeoutMs) },
					upstreamProtocolOptions: upstreamProtocol(protocol),
					...(tls?.sni === undefined && tls !== undefined
						? {
								upstreamHttpProtocolOptions: {
									autoSni: true,
									autoSanValidation:
										!tls.insecureSkipVerify && tls.subjectAltNames.length === 0,
								},
							}
						: undefined),
				},
			),
		},
	};
}

function upstreamProtocol(
	protocol: Protocol,
): NonNullable<
	Init<typeof HttpProtocolOptionsSchema>["upstreamProtocolOptions"]
> {
	switch (protocol) {
		case "http2":
		case "grpc":
			return {
				case: "explicitHttpConfig",
				value: {
					protocolConfig: {
						case: "http2ProtocolOptions",
						value: http2ProtocolOptions,
					},
				},
			};
		case "sniffed":
			return {
				case: "useDownstreamProtocolConfig",
				value: { httpProtocolOptions: {}, http2ProtocolOptions },
			};
		default:
			return {
				case: "explicitHttpConfig",
				value: { protocolConfig: { case: "httpProtocolOptions", value: {} } },
			};
	}
}

/** Trust store of the operating system the proxy runs on, where Debian and Alpine keep it. */
const systemTrustStore = "/etc/ssl/certs/ca-certificates.crt";

function tlsOrigination(
	tls: TlsOrigination,
	hostname: string,
): NonNullable<ClusterInit["transportSocket"]> {
	const sni = tls.sni ?? (hostname.startsWith("*.") ? undefined : hostname);
	const names =
		tls.subjectAltNames.length > 0
			? tls.subjectAltNames
			: sni === undefined
				? []
				: [sni];
	return {
		name: "envoy.transport_sockets.tls",
		configType: {
			case: "typedConfig",
			value: pack(UpstreamTlsContextSchema, {
				...(sni === undefined ? undefined : { sni }),
				commonTlsContext: tls.insecureSkipVerify
					? {}
					: {
							validationContextType: {
								case: "validationContext",
								value: {
									trustedCa: {
										specifier:
											tls.caCertificates === undefined
												? { case: "filename", value: systemTrustStore }
												: { case: "inlineString", value: tls.caCertificates },
									},
									matchTypedSubjectAltNames: names.map(dnsName),
								},
							},
						},
			}),
		},
	};
}

function dnsName(exact: string): Init<typeof SubjectAltNameMatcherSchema> {
	return {
		sanType: SanType.DNS,
		matcher: { matchPattern: { case: "exact", value: exact } },
	};
}

/** The cluster of one port of the application beside the proxy. */
export function inboundCluster(
	application: string,
	protocol: Protocol,
): ClusterInit {
	const name = inboundClusterName(application);
	const colon = application.lastIndexOf(":");
	const address = application.slice(0, colon).replace(/^\[|\]$/g, "");
	return {
		name,
		altStatName: statName(name),
		clusterDiscoveryType: { case: "type", value: DiscoveryType.STATIC },
		connectTimeout: duration(defaults.connectTimeoutMs),
		circuitBreakers: { thresholds: [ceilings] },
		loadAssignment: {
			clusterName: name,
			endpoints: [
				{
					lbEndpoints: [
						{
							hostIdentifier: {
								case: "endpoint",
								value: {
									address: {
										address: {
											case: "socketAddress",
											value: {
												address,
												portSpecifier: {
													case: "portValue",
													value: Number(application.slice(colon + 1)),
												},
											},
										},
									},
								},
							},
						},
					],
				},
			],
		},
		...protocolOptions(protocol, defaults.applicationIdleTimeoutMs),
	};
}

function emptyCluster(name: string): ClusterInit {
	return {
		name,
		clusterDiscoveryType: { case: "type", value: DiscoveryType.STATIC },
		connectTimeout: duration(defaults.connectTimeoutMs),
		loadAssignment: { clusterName: name },
	};
}

/** Clusters that every proxy of this attachment has, whatever the mesh holds. */
export function fixedClusters(attachment: Attachment): ClusterInit[] {
	const limits = {
		connectTimeout: duration(defaults.connectTimeoutMs),
		circuitBreakers: { thresholds: [ceilings] },
		upstreamConnectionOptions,
		...protocolOptions("sniffed", defaults.upstreamIdleTimeoutMs),
	};
	const everywhere = [
		emptyCluster(blackholeCluster),
		emptyCluster(unresolvedCluster),
	];
	if (attachment === "explicit") {
		return [
			...everywhere,
			{ ...limits, ...dynamicForwardProxy(dynamicForwardProxyCluster) },
		];
	}
	return [
		...everywhere,
		{ ...limits, ...originalDestination(passthroughCluster) },
		{
			...limits,
			...originalDestination(inboundPassthroughCluster),
			// The capture rules let connections from this address reach the application.
			upstreamBindConfig: {
				sourceAddress: {
					address: "127.0.0.6",
					portSpecifier: { case: "portValue", value: 0 },
				},
				extraSourceAddresses: [
					{
						address: {
							address: "::6",
							portSpecifier: { case: "portValue", value: 0 },
						},
					},
				],
			},
		},
	];
}
