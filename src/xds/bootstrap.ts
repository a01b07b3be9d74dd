import { isIP } from "node:net";
import type { Locality } from "../mesh/endpoint.ts";
import { defaults } from "./generate/defaults.ts";
import {
	overloadManager,
	type ProcessLimits,
} from "./generate/overload-manager.ts";
import type { JsonObject } from "./json.ts";
import { printNodeId } from "./node-id.ts";
import type { ProxyAddresses } from "./proxy.ts";
import type { SocketAddress } from "./socket-address.ts";

/** What the bootstrap of one Envoy is made from. */
export interface BootstrapInput extends ProcessLimits {
	/** `namespace/name` of the workload, or of the gateway. */
	readonly workload: string;
	readonly kind: "sidecar" | "gateway";
	/** Tells proxies of one workload apart; empty when there is one. */
	readonly suffix?: string;
	readonly attachment: "captured" | "explicit";
	readonly addresses: ProxyAddresses;
	readonly locality?: Locality;
	/** The control plane. */
	readonly server: SocketAddress;
	/** Loopback port of Envoy's admin interface. With 0 the system chooses; Envoy writes it to the file of its `--admin-address-path`. */
	readonly adminPort: number;
	/** Absolute path of the file that holds the token and nothing else, without a line end. */
	readonly tokenFile: string;
	/** Absolute path at which the `tokenSds` of the result will stand. */
	readonly tokenSdsFile: string;
	/** TLS to the control plane; without it everything goes in the clear, the token too. */
	readonly tls?: BootstrapTls;
}

/** How a proxy tells the control plane from somebody else. */
export interface BootstrapTls {
	/** Absolute path of the file with the authorities to trust, as PEM. */
	readonly caFile: string;
	/** Absolute path at which the `caSds` of the result will stand. */
	readonly caSdsFile: string;
	/** Name or IP address that the control plane's certificate must have. */
	readonly serverName: string;
}

/** The files of one Envoy besides its token. */
export interface EnvoyFiles {
	/** For `envoy -c`. Holds no secret. */
	readonly bootstrap: JsonObject;
	/** Tells Envoy where the token is; to be written to `tokenSdsFile`. */
	readonly tokenSds: JsonObject;
	/** Tells Envoy where the authorities are; to be written to `caSdsFile`. Absent without TLS. */
	readonly caSds?: JsonObject;
}

/** What the bootstrap of one proxyless gRPC client is made from. */
export interface GrpcBootstrapInput {
	readonly workload: string;
	readonly suffix?: string;
	readonly locality?: Locality;
	readonly server: SocketAddress;
	/** Stands in the result, which therefore is a secret: most of these clients cannot send headers. */
	readonly token: string;
	/**
	 * Files for clients that can do more: TLS to the control plane, and the token
	 * in the header, read again when it changes (gRFC A65 and A97).
	 */
	readonly files?: {
		/** Absolute path of the authorities to trust, as PEM. */
		readonly ca: string;
		/** Absolute path of the token. */
		readonly token: string;
	};
}

const tokenSecret = "lateen_proxy_token";
const caSecret = "lateen_ca";
const xdsCluster = "lateen";
const types = "type.googleapis.com";

/**
 * The files with which a real Envoy connects to the control plane.
 *
 * The token is not part of them: Envoy reads it from its own file, notices when
 * that file is replaced by a rename, and sends it with every new stream. The
 * same goes for the authorities that it trusts. What a rename in a projected
 * volume is, the swap of its `..data`, is noticed as well.
 */
export function generateBootstrap(input: BootstrapInput): EnvoyFiles {
	const ads = {
		ads: {},
		// Without this Envoy would start to serve half-empty after 15 seconds.
		initial_fetch_timeout: "0s",
		resource_api_version: "V3",
	};
	return {
		bootstrap: {
			node: {
				...generateNode(input.kind, input),
				metadata: {
					lateen: {
						kind: input.kind,
						attachment: input.attachment,
						...printAddresses(input.addresses),
					},
				},
			},
			admin: {
				address: {
					socket_address: {
						address: "127.0.0.1",
						port_value: input.adminPort,
					},
				},
			},
			dynamic_resources: {
				ads_config: {
					api_type: "DELTA_GRPC",
					transport_api_version: "V3",
					set_node_on_first_message_only: true,
					grpc_services: [
						{
							envoy_grpc: {
								cluster_name: xdsCluster,
								// Envoy's own back-off grows to 30 s: a proxy would miss for so long what a new control plane has to say.
								retry_policy: {
									retry_back_off: {
										base_interval: "0.25s",
										max_interval: "3s",
									},
								},
							},
						},
					],
				},
				cds_config: ads,
				lds_config: ads,
			},
			static_resources: { clusters: [generateXdsCluster(input)] },
			// A sidecar knows thousands of clusters and calls a few: their traffic counters are made when first used.
			deferred_stat_options: { enable_deferred_creation_stats: true },
			overload_manager: overloadManager(input),
			layered_runtime: {
				layers: [
					{
						name: "static",
						static_layer: {
							"re2.max_program_size.error_level": defaults.maxRegexProgramSize,
							"re2.max_program_size.warn_level": defaults.maxRegexProgramSize,
						},
					},
					// Lets an operator change runtime keys through the admin interface.
					{ name: "admin", admin_layer: {} },
				],
			},
		},
		tokenSds: secretFile(tokenSecret, {
			generic_secret: { secret: watchedFile(input.tokenFile) },
		}),
		...(input.tls === undefined
			? {}
			: {
					caSds: secretFile(caSecret, {
						validation_context: {
							trusted_ca: { filename: input.tls.caFile },
							watched_directory: { path: directoryOf(input.tls.caFile) },
						},
					}),
				}),
	};
}

/** A file with one secret: Envoy accepts no more of them in one. */
function secretFile(name: string, content: JsonObject): JsonObject {
	return {
		resources: [
			{
				"@type": `${types}/envoy.extensions.transport_sockets.tls.v3.Secret`,
				name,
				...content,
			},
		],
	};
}

function watchedFile(path: string): JsonObject {
	return {
		filename: path,
		watched_directory: { path: directoryOf(path) },
	};
}

/** Where Envoy finds a secret that stands in a file. */
function secretSource(name: string, path: string): JsonObject {
	return {
		name,
		sds_config: {
			path_config_source: {
				path,
				watched_directory: { path: directoryOf(path) },
			},
			resource_api_version: "V3",
		},
	};
}

/** The file for `GRPC_XDS_BOOTSTRAP` of a gRPC client without a proxy. It holds the token: keep it from others (mode 0600). */
export function generateGrpcBootstrap(input: GrpcBootstrapInput): JsonObject {
	const { server, files } = input;
	return {
		xds_servers: [
			{
				server_uri:
					"path" in server
						? `unix:${server.path}`
						: isIP(server.host) === 6
							? `[${server.host}]:${server.port}`
							: `${server.host}:${server.port}`,
				channel_creds: [
					files === undefined
						? { type: "insecure" }
						: { type: "tls", config: { ca_certificate_file: files.ca } },
				],
				...(files === undefined
					? {}
					: {
							call_creds: [
								{
									type: "jwt_token_file",
									config: { jwt_token_file: files.token },
								},
							],
						}),
				server_features: ["xds_v3"],
			},
		],
		node: {
			...generateNode("grpc", input),
			// grpc-js refuses a file without this field, even if it says nothing.
			locality: {
				region: input.locality?.region ?? "",
				zone: input.locality?.zone ?? "",
			},
			metadata: { lateen: { kind: "grpc", token: input.token } },
		},
	};
}

function generateNode(
	kind: "sidecar" | "gateway" | "grpc",
	input: {
		readonly workload: string;
		readonly suffix?: string;
		readonly locality?: Locality;
	},
): JsonObject {
	const { workload, suffix = "", locality } = input;
	const [namespace, name] = workload.split("/");
	return {
		id: printNodeId({ kind, workload, suffix }),
		// The name of the service in traces.
		cluster: `${name}.${namespace}`,
		...(locality === undefined
			? {}
			: { locality: { region: locality.region, zone: locality.zone } }),
	};
}

function printAddresses(addresses: ProxyAddresses): JsonObject {
	const { outbound, inbound, tcp, gateway } = addresses;
	return {
		...(outbound === undefined ? {} : { outbound }),
		...(inbound.length === 0
			? {}
			: { inbound: inbound.map((entry) => ({ ...entry })) }),
		...(tcp.length === 0 ? {} : { tcp: tcp.map((entry) => ({ ...entry })) }),
		...(gateway.length === 0
			? {}
			: { gateway: gateway.map((entry) => ({ ...entry })) }),
	};
}

function generateXdsCluster(input: BootstrapInput): JsonObject {
	const { server } = input;
	const isName = "host" in server && isIP(server.host) === 0;
	return {
		name: xdsCluster,
		...(isName
			? // A name may stand for an IPv6 and an IPv4 address of which one listens: both are tried.
				{ type: "STRICT_DNS", dns_lookup_family: "ALL" }
			: { type: "STATIC" }),
		connect_timeout: "5s",
		load_assignment: {
			cluster_name: xdsCluster,
			endpoints: [
				{
					lb_endpoints: [
						{
							endpoint: {
								address:
									"path" in server
										? { pipe: { path: server.path } }
										: {
												socket_address: {
													address: server.host,
													port_value: server.port,
												},
											},
							},
						},
					],
				},
			],
		},
		...(input.tls === undefined
			? {}
			: { transport_socket: generateTransportSocket(input.tls) }),
		upstream_connection_options: { tcp_keepalive: { keepalive_time: 300 } },
		typed_extension_protocol_options: {
			"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
				"@type": `${types}/envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
				explicit_http_config: {
					http2_protocol_options: {
						// Finds a control plane that vanished without a word.
						connection_keepalive: { interval: "30s", timeout: "5s" },
					},
				},
				http_filters: [
					generateTokenFilter(input),
					{
						name: "envoy.filters.http.upstream_codec",
						typed_config: {
							"@type": `${types}/envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec`,
						},
					},
				],
			},
		},
	};
}

function generateTokenFilter(input: BootstrapInput): JsonObject {
	return {
		name: "envoy.filters.http.credential_injector",
		typed_config: {
			"@type": `${types}/envoy.extensions.filters.http.credential_injector.v3.CredentialInjector`,
			overwrite: true,
			credential: {
				name: "envoy.http.injected_credentials.generic",
				typed_config: {
					"@type": `${types}/envoy.extensions.http.injected_credentials.generic.v3.Generic`,
					credential: secretSource(tokenSecret, input.tokenSdsFile),
					header: "authorization",
					header_value_prefix: "Bearer ",
				},
			},
		},
	};
}

function generateTransportSocket(tls: BootstrapTls): JsonObject {
	const isAddress = isIP(tls.serverName) !== 0;
	return {
		name: "envoy.transport_sockets.tls",
		typed_config: {
			"@type": `${types}/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
			// Server name indication knows names only (RFC 6066 section 3).
			...(isAddress ? {} : { sni: tls.serverName }),
			common_tls_context: {
				alpn_protocols: ["h2"],
				tls_params: {
					tls_minimum_protocol_version: "TLSv1_2",
					// Without it Envoy's clients stay at 1.2.
					tls_maximum_protocol_version: "TLSv1_3",
				},
				combined_validation_context: {
					default_validation_context: {
						match_typed_subject_alt_names: [
							{
								san_type: isAddress ? "IP_ADDRESS" : "DNS",
								matcher: { exact: tls.serverName },
							},
						],
					},
					validation_context_sds_secret_config: secretSource(
						caSecret,
						tls.caSdsFile,
					),
				},
			},
		},
	};
}

function directoryOf(path: string): string {
	return path.slice(0, Math.max(path.lastIndexOf("/"), 1));
}
