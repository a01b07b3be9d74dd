import { LATEEN_PROXY_IMAGE } from "../test/testkit/kind-mesh.ts";

/** Where a bare Envoy in a pod listens for its own application. */
export const bareOutboundPort = 10_000;
/** Where it listens for others. */
const bareInboundPort = 10_001;
/** As many threads as an injected proxy has. */
const concurrency = 2;

const types = "type.googleapis.com/envoy.extensions";

/**
 * The same pod, or template of one, with an Envoy that does nothing but pass HTTP on, as plainly as it can be written: what any mesh with
 * proxies costs at least. Its init containers are like those of injection: one that ends at once, and Envoy as a native sidecar.
 *
 * @param peer host that has such an Envoy; where requests of the application go
 */
export function withBareEnvoy(pod: object, peer: string): object {
	const { spec } = pod as { readonly spec: object };
	const own = { image: LATEEN_PROXY_IMAGE, imagePullPolicy: "Never" };
	return {
		...pod,
		spec: {
			...spec,
			initContainers: [
				{ ...own, name: "nothing", command: ["busybox", "true"] },
				{
					...own,
					name: "envoy",
					restartPolicy: "Always",
					command: ["envoy"],
					args: [
						...["--concurrency", String(concurrency), "--log-level", "error"],
						...["--config-yaml", JSON.stringify(bootstrap(peer))],
					],
					resources: { requests: { cpu: "50m", memory: "64Mi" } },
					startupProbe: {
						tcpSocket: { port: bareInboundPort },
						periodSeconds: 1,
						failureThreshold: 600,
					},
				},
			],
		},
	};
}

/** The Service that leads to such Envoys of pods with the label `app`. */
export function bareService(app: string): object {
	return {
		apiVersion: "v1",
		kind: "Service",
		metadata: { name: app },
		spec: {
			selector: { app },
			ports: [{ name: "http", port: bareInboundPort }],
		},
	};
}

function bootstrap(peer: string): object {
	return {
		static_resources: {
			listeners: [
				listener("outbound", "127.0.0.1", bareOutboundPort),
				listener("inbound", "0.0.0.0", bareInboundPort),
			],
			clusters: [
				cluster("outbound", "STRICT_DNS", peer, bareInboundPort),
				cluster("inbound", "STATIC", "127.0.0.1", 8080),
			],
		},
	};
}

function listener(name: string, host: string, port: number): object {
	return {
		name,
		address: address(host, port),
		filter_chains: [
			{
				filters: [
					{
						name: "envoy.filters.network.http_connection_manager",
						typed_config: {
							"@type": `${types}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
							stat_prefix: name,
							http_filters: [
								{
									name: "envoy.filters.http.router",
									typed_config: {
										"@type": `${types}.filters.http.router.v3.Router`,
									},
								},
							],
							route_config: {
								virtual_hosts: [
									{
										name,
										domains: ["*"],
										routes: [
											{
												match: { prefix: "/" },
												route: { cluster: name, timeout: "0s" },
											},
										],
									},
								],
							},
						},
					},
				],
			},
		],
	};
}

function cluster(
	name: string,
	type: "STATIC" | "STRICT_DNS",
	host: string,
	port: number,
): object {
	return {
		name,
		type,
		dns_lookup_family: "V4_ONLY",
		load_assignment: {
			cluster_name: name,
			endpoints: [
				{ lb_endpoints: [{ endpoint: { address: address(host, port) } }] },
			],
		},
	};
}

function address(host: string, port: number): object {
	return { socket_address: { address: host, port_value: port } };
}
