/*
 * What Envoy answers on the status port, from its bootstrap, without anything beside it:
 *
 *   /ready               200 once everything is there that the control plane has to say
 *   /stats/prometheus    its figures; at /metrics, too, where Prometheus asks every port that a pod declares
 *   /probes/…            what the application says; over TCP and gRPC, what Envoy's own last look at it said
 */
import type { Json } from "./json.ts";
import { ports } from "./names.ts";
import { podVariables } from "./pod-variables.ts";
import type { ProbeTarget, RewrittenProbe } from "./probes.ts";

const types = "type.googleapis.com/envoy";
const adminCluster = "lateen_admin";

/** How often Envoy looks at an application at most, so that the kubelet's answer is never much older. Seconds. */
const lookSeconds = 2;

/** How long a connection for a hook may take. */
const connectSeconds = 5;

/** The static parts of a bootstrap that serve the status port. */
export interface StatusParts {
	readonly listeners: readonly Json[];
	readonly clusters: readonly Json[];
}

/** Makes them. */
export function statusParts(probes: readonly RewrittenProbe[]): StatusParts {
	const looked = probes.filter(({ target }) => target.kind !== "http");
	return {
		listeners: [
			{
				name: "lateen_status",
				address: socket(podVariables.address, ports.status),
				// The kubelet's questions are no traffic of the application.
				ignore_global_conn_limit: true,
				bypass_overload_manager: true,
				filter_chains: [
					{
						filters: [
							{
								name: "envoy.filters.network.http_connection_manager",
								typed_config: {
									"@type": `${types}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
									stat_prefix: "lateen_status",
									// The application and the kubelet see each other's headers as they are.
									generate_request_id: false,
									server_header_transformation: "PASS_THROUGH",
									http_filters: [
										healthFilter("/ready"),
										...looked.map(({ path }) => healthFilter(path, path)),
										{
											name: "envoy.filters.http.router",
											typed_config: {
												"@type": `${types}.extensions.filters.http.router.v3.Router`,
												suppress_envoy_headers: true,
											},
										},
									],
									route_config: {
										name: "lateen_status",
										virtual_hosts: [
											{
												name: "lateen_status",
												domains: ["*"],
												routes: [
													...["/stats/prometheus", "/metrics"].map(
														figuresRoute,
													),
													...probes.flatMap(({ path, target }) =>
														target.kind === "http"
															? [httpRoute(path, target)]
															: [],
													),
												],
											},
										],
									},
								},
							},
						],
					},
				],
			},
		],
		clusters: [
			{
				name: adminCluster,
				type: "STATIC",
				connect_timeout: "1s",
				load_assignment: endpoint(adminCluster, "127.0.0.1", ports.admin),
			},
			...probes.map(({ path, target }) => probeCluster(path, target)),
		],
	};
}

function figuresRoute(path: string): Json {
	return {
		match: { path },
		route: {
			cluster: adminCluster,
			prefix_rewrite: "/stats/prometheus",
			timeout: "10s",
		},
	};
}

function httpRoute(
	path: string,
	target: Extract<ProbeTarget, { readonly kind: "http" }>,
): Json {
	const { pathname, query } = splitPath(target.path);
	return {
		match: { path },
		route: {
			cluster: path,
			// 0s is for ever.
			timeout: `${target.timeoutSeconds}s`,
			// A query that the probe has is part of what is rewritten.
			...(query === ""
				? { prefix_rewrite: pathname }
				: {
						regex_rewrite: {
							pattern: { regex: "^.*$" },
							substitution: target.path.replaceAll("\\", "\\\\"),
						},
					}),
		},
		// The kubelet would follow it to a path that is not on this port. Without it, a redirect is a success.
		response_headers_to_remove: ["location"],
	};
}

function splitPath(path: string): {
	readonly pathname: string;
	readonly query: string;
} {
	const at = path.indexOf("?");
	return at === -1
		? { pathname: path, query: "" }
		: { pathname: path.slice(0, at), query: path.slice(at + 1) };
}

/** Answers a path by itself: 503 while Envoy or the application is ill. */
function healthFilter(path: string, cluster?: string): Json {
	return {
		name: "envoy.filters.http.health_check",
		typed_config: {
			"@type": `${types}.extensions.filters.http.health_check.v3.HealthCheck`,
			pass_through_mode: false,
			headers: [{ name: ":path", string_match: { exact: path } }],
			...(cluster !== undefined && {
				cluster_min_healthy_percentages: { [cluster]: { value: 100 } },
			}),
		},
	};
}

function probeCluster(name: string, target: ProbeTarget): Json {
	return {
		name,
		type: "STATIC",
		connect_timeout: `${target.timeoutSeconds || connectSeconds}s`,
		load_assignment: endpoint(name, podVariables.address, target.port),
		// From these addresses the capture rules let connections through to the application.
		upstream_bind_config: {
			source_address: { address: "127.0.0.6", port_value: 0 },
			extra_source_addresses: [{ address: { address: "::6", port_value: 0 } }],
		},
		...(target.kind === "http" ? httpOptions(target.isTls) : looks(target)),
	};
}

function httpOptions(isTls: boolean): Json {
	return {
		// As the kubelet does: each probe on a connection of its own.
		typed_extension_protocol_options: protocolOptions({
			common_http_protocol_options: { max_requests_per_connection: 1 },
			explicit_http_config: { http_protocol_options: {} },
		}),
		...(isTls && {
			transport_socket: {
				name: "envoy.transport_sockets.tls",
				// Like the kubelet, it does not ask whose certificate it is.
				typed_config: {
					"@type": `${types}.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
				},
			},
		}),
	};
}

function looks(target: Exclude<ProbeTarget, { readonly kind: "http" }>): Json {
	const interval = `${Math.min(target.periodSeconds, lookSeconds)}s`;
	return {
		health_checks: [
			{
				timeout: `${target.timeoutSeconds}s`,
				interval,
				no_traffic_interval: interval,
				healthy_threshold: 1,
				unhealthy_threshold: 1,
				// A gRPC probe is a call, and each look is one.
				reuse_connection: false,
				...(target.kind === "tcp"
					? { tcp_health_check: {} }
					: {
							grpc_health_check: {
								authority: "localhost",
								...(target.service !== "" && { service_name: target.service }),
							},
						}),
			},
		],
		// Without it a cluster whose hosts are all ill is taken for one that is all well.
		common_lb_config: { healthy_panic_threshold: { value: 0 } },
		...(target.kind === "grpc" && {
			typed_extension_protocol_options: protocolOptions({
				explicit_http_config: { http2_protocol_options: {} },
			}),
		}),
	};
}

function protocolOptions(options: Json): Json {
	const name = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";
	return {
		[name]: {
			"@type": `type.googleapis.com/${name}`,
			...options,
		},
	};
}

function endpoint(cluster: string, address: string, port: number): Json {
	return {
		cluster_name: cluster,
		endpoints: [
			{ lb_endpoints: [{ endpoint: { address: socket(address, port) } }] },
		],
	};
}

function socket(address: string, port: number): Json {
	return { socket_address: { address, port_value: port } };
}
