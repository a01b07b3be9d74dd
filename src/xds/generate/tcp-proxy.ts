import { TcpProxySchema } from "../../gen/envoy/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.js";
import type { Target } from "../../mesh/route.ts";
import { defaults } from "./defaults.ts";
import { pack } from "./encode.ts";
import type { NetworkFilter } from "./http-connection-manager.ts";
import type { Init } from "./init.ts";
import { statName } from "./names.ts";
import { nameOrUnresolved } from "./virtual-host.ts";

/** The network filter that forwards bytes to one cluster. */
export function tcpProxy(statPrefix: string, cluster: string): NetworkFilter {
	return filter(statPrefix, { case: "cluster", value: cluster });
}

/** The network filter that forwards each connection to one of several clusters. */
export function weightedTcpProxy(
	statPrefix: string,
	targets: readonly Target[],
): NetworkFilter {
	const [only] = targets;
	if (targets.length === 1 && only) {
		return tcpProxy(statPrefix, nameOrUnresolved(only.cluster));
	}
	return filter(statPrefix, {
		case: "weightedClusters",
		value: {
			// A weight of 0, which routes know, is refused here.
			clusters: targets
				.filter(({ weight }) => weight > 0)
				.map(({ cluster, weight }) => ({
					name: nameOrUnresolved(cluster),
					weight,
				})),
		},
	});
}

function filter(
	statPrefix: string,
	clusterSpecifier: NonNullable<
		Init<typeof TcpProxySchema>["clusterSpecifier"]
	>,
): NetworkFilter {
	return {
		name: "envoy.filters.network.tcp_proxy",
		configType: {
			case: "typedConfig",
			value: pack(TcpProxySchema, {
				statPrefix: statName(statPrefix),
				clusterSpecifier,
				// A connection that was not made carried nothing, so another endpoint may be tried.
				maxConnectAttempts: defaults.tcpConnectAttempts,
			}),
		},
	};
}
