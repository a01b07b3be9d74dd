import {
	create,
	type DescMessage,
	type MessageInitShape,
	toBinary,
} from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
	Cluster_DiscoveryType,
	ClusterSchema,
} from "../src/gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import { ClusterLoadAssignmentSchema } from "../src/gen/envoy/envoy/config/endpoint/v3/endpoint_pb.js";
import { RouteConfigurationSchema } from "../src/gen/envoy/envoy/config/route/v3/route_pb.js";
import { UpstreamTlsContextSchema } from "../src/gen/envoy/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { HttpProtocolOptionsSchema } from "../src/gen/envoy/envoy/extensions/upstreams/http/v3/http_protocol_options_pb.js";
import { encode, pack } from "../src/xds/generate/encode.ts";

/** How long it takes to build and encode one message. */
export interface EncodeFigure {
	readonly name: string;
	/** Size of the message in bytes. */
	readonly size: number;
	/** Microseconds per message with the library: `create`, then `toBinary`. */
	readonly library: number;
	/** Microseconds per message with our encoder. */
	readonly own: number;
}

type Pack = <Desc extends DescMessage>(
	schema: Desc,
	message: MessageInitShape<Desc>,
) => { readonly typeUrl: string; readonly value: Uint8Array };

/** Measures building and encoding of typical resources, the library's way and ours, nested packed messages included. */
export function measureEncode(): readonly EncodeFigure[] {
	return [
		figure("cluster", ClusterSchema, eagerCluster),
		figure("100 endpoints", ClusterLoadAssignmentSchema, () => endpoints(100)),
		figure("1,000 virtual hosts", RouteConfigurationSchema, () =>
			virtualHosts(1_000),
		),
		figure("1 virtual host", RouteConfigurationSchema, () => virtualHosts(1)),
	];
}

function figure<Desc extends DescMessage>(
	name: string,
	schema: Desc,
	build: (pack: Pack) => MessageInitShape<Desc>,
): EncodeFigure {
	const library = () => toBinary(schema, create(schema, build(libraryPack)));
	const own = () => encode(schema, build(pack));
	// In turns, so that a busy machine slows both.
	const rounds = Array.from({ length: 7 }, () => ({
		library: microseconds(library),
		own: microseconds(own),
	}));
	return {
		name,
		size: own().length,
		library: Math.min(...rounds.map((round) => round.library)),
		own: Math.min(...rounds.map((round) => round.own)),
	};
}

function microseconds(run: () => unknown): number {
	const start = performance.now();
	let count = 0;
	let elapsed = 0;
	while (elapsed < 60) {
		run();
		count++;
		elapsed = performance.now() - start;
	}
	return (elapsed / count) * 1_000;
}

const libraryPack: Pack = (schema, message) =>
	anyPack(schema, create(schema, message));

function eagerCluster(pack: Pack): MessageInitShape<typeof ClusterSchema> {
	const host = "reviews.bookinfo.svc.cluster.local";
	return {
		name: `outbound|9080||${host}`,
		altStatName: `outbound_9080_${host}`,
		clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
		edsClusterConfig: {
			serviceName: `outbound|9080||${host}`,
			edsConfig: { configSourceSpecifier: { case: "ads", value: {} } },
		},
		connectTimeout: { seconds: 5n },
		circuitBreakers: {
			thresholds: [
				{
					maxConnections: 10_240,
					maxPendingRequests: 10_240,
					maxRequests: 10_240,
					maxRetries: 3,
					trackRemaining: true,
				},
			],
		},
		commonLbConfig: { healthyPanicThreshold: { value: 50 } },
		outlierDetection: {
			consecutive5xx: 5,
			interval: { seconds: 10n },
			baseEjectionTime: { seconds: 30n },
			maxEjectionPercent: 10,
		},
		metadata: {
			filterMetadata: {
				lateen: {
					services: [{ host, name: "reviews", namespace: "bookinfo" }],
				},
			},
		},
		transportSocketMatches: [
			{
				name: "mtls",
				match: { tlsMode: "mtls" },
				transportSocket: {
					name: "envoy.transport_sockets.tls",
					configType: {
						case: "typedConfig",
						value: pack(UpstreamTlsContextSchema, {
							sni: `outbound_.9080_._.${host}`,
							commonTlsContext: {
								alpnProtocols: ["h2"],
								tlsCertificateSdsSecretConfigs: [
									{
										name: "default",
										sdsConfig: {
											configSourceSpecifier: { case: "ads", value: {} },
										},
									},
								],
							},
						}),
					},
				},
			},
		],
		typedExtensionProtocolOptions: {
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": pack(
				HttpProtocolOptionsSchema,
				{
					commonHttpProtocolOptions: { idleTimeout: { seconds: 3_600n } },
					upstreamProtocolOptions: {
						case: "explicitHttpConfig",
						value: {
							protocolConfig: {
								case: "http2ProtocolOptions",
								value: { maxConcurrentStreams: 1_073_741_824 },
							},
						},
					},
				},
			),
		},
	};
}

function endpoints(
	count: number,
): MessageInitShape<typeof ClusterLoadAssignmentSchema> {
	const zones = ["a", "b", "c"];
	return {
		clusterName: "outbound|9080||reviews.bookinfo.svc.cluster.local",
		endpoints: zones.map((zone, index) => ({
			locality: { region: "eu-west-1", zone: `eu-west-1${zone}` },
			loadBalancingWeight: 1,
			lbEndpoints: Array.from(
				{ length: Math.ceil((count - index) / zones.length) },
				(_, i) => ({
					hostIdentifier: {
						case: "endpoint",
						value: {
							address: {
								address: {
									case: "socketAddress",
									value: {
										address: `10.1.${index}.${i}`,
										portSpecifier: { case: "portValue", value: 9080 },
									},
								},
							},
						},
					},
					loadBalancingWeight: 1,
					metadata: {
						filterMetadata: {
							"envoy.transport_socket_match": { tlsMode: "mtls" },
							lateen: { workload: `reviews-v${index};bookinfo` },
						},
					},
				}),
			),
		})),
	};
}

function virtualHosts(
	count: number,
): MessageInitShape<typeof RouteConfigurationSchema> {
	return {
		name: "9080",
		validateClusters: false,
		virtualHosts: Array.from({ length: count }, (_, i) => {
			const host = `service-${i}.namespace-${i % 50}.svc.cluster.local`;
			return {
				name: `${host}:9080`,
				domains: [host, `${host}:9080`, `service-${i}`, `service-${i}:9080`],
				includeRequestAttemptCount: true,
				routes: [
					{
						name: "default",
						match: { pathSpecifier: { case: "prefix", value: "/" } },
						decorator: { operation: `${host}:9080/*` },
						action: {
							case: "route",
							value: {
								clusterSpecifier: {
									case: "cluster",
									value: `outbound|9080||${host}`,
								},
								timeout: {},
								retryPolicy: {
									retryOn: "connect-failure,refused-stream,unavailable",
									numRetries: 2,
								},
								maxGrpcTimeout: {},
							},
						},
					},
				],
			};
		}),
	};
}

/** Prints the figures as a table. */
export function printEncode(figures: readonly EncodeFigure[]): void {
	console.log("build + encode          bytes   library µs   own µs   ratio");
	for (const { name, size, library, own } of figures) {
		console.log(
			[
				name.padEnd(20),
				String(size).padStart(8),
				library.toFixed(1).padStart(12),
				own.toFixed(1).padStart(8),
				`${(library / own).toFixed(1)}x`.padStart(7),
			].join(" "),
		);
	}
}

if (import.meta.main) printEncode(measureEncode());
