import {
	type Cluster,
	Cluster_DiscoveryType as DiscoveryType,
} from "../../gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import { HealthStatus } from "../../gen/envoy/envoy/config/core/v3/health_check_pb.js";
import type { ClusterLoadAssignment } from "../../gen/envoy/envoy/config/endpoint/v3/endpoint_pb.js";
import { parseClusterName } from "../generate/names.ts";
import type { ClusterStep, EndpointStep } from "./explanation.ts";
import { printAddress } from "./print-address.ts";
import type { ProxyConfig } from "./proxy-config.ts";

/** What a proxy knows of the cluster of this name. */
export function readCluster(config: ProxyConfig, name: string): ClusterStep {
	const found = config.clusters.get(name);
	const discovery = found === undefined ? "none" : discoveryOf(found.message);
	const assignment =
		config.endpoints.get(name)?.message ?? found?.message.loadAssignment;
	const endpoints = endpointsOf(assignment);
	return {
		cluster: name,
		known: found !== undefined,
		service: serviceOf(name),
		discovery:
			discovery === "listed" && endpoints.length === 0 ? "none" : discovery,
		endpoints,
		origins: found?.origins ?? [],
	};
}

/** True when a request to the cluster may find somebody. */
export function canAnswer(cluster: ClusterStep): boolean {
	switch (cluster.discovery) {
		case "asked for":
			return true;
		case "dns":
		case "listed":
			return cluster.endpoints.some(({ health }) => health === "healthy");
		case "none":
			return false;
	}
}

function discoveryOf(cluster: Cluster): ClusterStep["discovery"] {
	const type = cluster.clusterDiscoveryType;
	// Its own kind: the dynamic forward proxy, which resolves the host of the request.
	if (type.case === "clusterType") return "asked for";
	switch (type.value) {
		case DiscoveryType.ORIGINAL_DST:
			return "asked for";
		case DiscoveryType.STRICT_DNS:
		case DiscoveryType.LOGICAL_DNS:
			return "dns";
		default:
			return "listed";
	}
}

function serviceOf(name: string): ClusterStep["service"] {
	const parsed = parseClusterName(name);
	if (parsed === undefined) return undefined;
	const [labels = ""] = parsed.subset.split("~");
	return {
		...parsed,
		labels: Object.fromEntries(
			labels
				.split(",")
				.filter((label) => label !== "")
				.map((label) => {
					const equals = label.indexOf("=");
					return [label.slice(0, equals), label.slice(equals + 1)];
				}),
		),
	};
}

function endpointsOf(
	assignment: ClusterLoadAssignment | undefined,
): readonly EndpointStep[] {
	return (assignment?.endpoints ?? []).flatMap(({ locality, lbEndpoints }) =>
		lbEndpoints.map(
			({ hostIdentifier, healthStatus, loadBalancingWeight }) => ({
				address:
					hostIdentifier.case === "endpoint"
						? printAddress(hostIdentifier.value.address)
						: "",
				health: healthOf(healthStatus),
				weight: loadBalancingWeight ?? 1,
				locality:
					locality === undefined ? "" : `${locality.region}/${locality.zone}`,
			}),
		),
	);
}

function healthOf(status: HealthStatus): EndpointStep["health"] {
	switch (status) {
		case HealthStatus.UNKNOWN:
		case HealthStatus.HEALTHY:
		case HealthStatus.DEGRADED:
			return "healthy";
		case HealthStatus.DRAINING:
			return "draining";
		default:
			return "unhealthy";
	}
}
