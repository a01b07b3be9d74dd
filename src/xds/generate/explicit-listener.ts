import { TrafficDirection } from "../../gen/envoy/envoy/config/core/v3/base_pb.js";
import type { CallerRule } from "../../mesh/caller.ts";
import type { Service, ServicePort } from "../../mesh/service.ts";
import type { Resource } from "../resource.ts";
import { needsServerName, tcpFilterChains } from "./filter-chain.ts";
import { httpConnectionManager } from "./http-connection-manager.ts";
import { sniffing } from "./inbound-listener.ts";
import { listenAddress, listenerResource } from "./listener.ts";
import {
	clusterName,
	forwardProxyRouteName,
	gatewayRouteName,
} from "./names.ts";
import { clustersOf, originsOf } from "./route.ts";
import { tcpProxy } from "./tcp-proxy.ts";

/** The forward proxy that an application uses as HTTP_PROXY. */
export function forwardProxyListener(listen: string): Resource {
	return listenerResource({
		name: "outbound",
		address: listenAddress(listen),
		trafficDirection: TrafficDirection.OUTBOUND,
		filterChains: [
			{
				name: "http",
				filters: [
					httpConnectionManager("forwardProxy", "outbound", {
						kind: "rds",
						name: forwardProxyRouteName,
					}),
				],
			},
		],
	});
}

/** A local port that stands for one TCP port of a service. */
export function localTcpListener(local: {
	readonly listen: string;
	readonly service: Service;
	readonly port: ServicePort;
	readonly rules: readonly CallerRule[];
}): Resource {
	const { service, port, rules } = local;
	const name = `tcp_${service.hostname}:${port.number}`;
	const whole = clusterName(service.hostname, port.number, "");
	return listenerResource(
		{
			name,
			address: listenAddress(local.listen),
			trafficDirection: TrafficDirection.OUTBOUND,
			...sniffing(needsServerName(rules) ? "serverName" : "nothing"),
			filterChains: tcpFilterChains(name, rules, whole),
		},
		[service.origin, ...originsOf(rules)],
		[whole, ...clustersOf(rules)],
	);
}

/** A local port whose service does not exist, or not yet: connections are closed, nothing else is hurt. */
export function unservedTcpListener(
	listen: string,
	service: string,
	cluster: string,
): Resource {
	return listenerResource({
		name: `tcp_${service}`,
		address: listenAddress(listen),
		trafficDirection: TrafficDirection.OUTBOUND,
		filterChains: [
			{ name: "unserved", filters: [tcpProxy(`tcp_${service}`, cluster)] },
		],
	});
}

/** A port on which a gateway takes traffic from outside. */
export function gatewayListener(gateway: string, listen: string): Resource {
	return listenerResource({
		name: `gateway_${listen}`,
		address: listenAddress(listen),
		trafficDirection: TrafficDirection.OUTBOUND,
		filterChains: [
			{
				name: "http",
				filters: [
					httpConnectionManager("gateway", `gateway_${listen}`, {
						kind: "rds",
						name: gatewayRouteName(gateway),
					}),
				],
			},
		],
	});
}
