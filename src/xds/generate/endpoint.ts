import { compareText } from "../../api/object-ref.ts";
import { HealthStatus } from "../../gen/envoy/envoy/config/core/v3/health_check_pb.js";
import type {
	LbEndpointSchema,
	LocalityLbEndpointsSchema,
} from "../../gen/envoy/envoy/config/endpoint/v3/endpoint_components_pb.js";
import {
	type ClusterLoadAssignmentSchema as AssignmentSchema,
	ClusterLoadAssignmentSchema,
} from "../../gen/envoy/envoy/config/endpoint/v3/endpoint_pb.js";
import type { Endpoint } from "../../mesh/endpoint.ts";
import type { Service } from "../../mesh/service.ts";
import { type Subset, selectsEndpoint } from "../../mesh/subset.ts";
import type { Resource } from "../resource.ts";
import type { Init } from "./init.ts";
import { makeResource } from "./make-resource.ts";
import { clusterName } from "./names.ts";
import type { ServiceView } from "./service-view.ts";

/** The endpoints of every port and subset of a service that lists them; DNS and passthrough services have none. */
export function endpointResources(view: ServiceView): Resource[] {
	const { service, subsets } = view;
	if (!listsEndpoints(service)) return [];
	return service.ports.flatMap((port) =>
		subsets.map((subset) => {
			const name = clusterName(service.hostname, port.number, subset.name);
			return makeResource(
				ClusterLoadAssignmentSchema,
				name,
				loadAssignment(name, view.endpoints, port.number, subset),
				[service.origin],
			);
		}),
	);
}

/** True when the proxies are told the endpoints of a service, rather than finding them. */
export function listsEndpoints(service: Service): boolean {
	return service.resolution === "listed" || service.resolution === "headless";
}

/**
 * The endpoints of one cluster, grouped by locality.
 *
 * A service with nothing but draining endpoints goes on using them, as
 * Kubernetes' own proxy does: a late answer is better than none.
 */
export function loadAssignment(
	name: string,
	endpoints: readonly Endpoint[],
	port: number,
	subset: Subset,
): Init<typeof AssignmentSchema> {
	const chosen = endpoints.filter(
		(endpoint) => endpoint.ports.has(port) && selectsEndpoint(subset, endpoint),
	);
	const someAreHealthy = chosen.some(({ health }) => health === "healthy");
	const localities = new Map<string, Endpoint[]>();
	for (const endpoint of chosen) {
		const { region, zone } = endpoint.locality;
		const key = `${region}/${zone}`;
		const group = localities.get(key);
		if (group) group.push(endpoint);
		else localities.set(key, [endpoint]);
	}
	return {
		clusterName: name,
		endpoints: [...localities]
			.sort(([a], [b]) => compareText(a, b))
			.map(([, group]) => localityEndpoints(group, port, someAreHealthy)),
	};
}

function localityEndpoints(
	group: readonly Endpoint[],
	port: number,
	someAreHealthy: boolean,
): Init<typeof LocalityLbEndpointsSchema> {
	let weight = 0;
	const lbEndpoints: Init<typeof LbEndpointSchema>[] = [];
	for (const endpoint of group) {
		const drains = endpoint.health === "draining" && someAreHealthy;
		if (!drains) weight += endpoint.weight;
		lbEndpoints.push({
			hostIdentifier: {
				case: "endpoint",
				value: {
					address: socketAddress(
						endpoint.address,
						endpoint.ports.get(port) ?? port,
					),
				},
			},
			...(drains ? { healthStatus: HealthStatus.DRAINING } : undefined),
			...(endpoint.weight === 1
				? undefined
				: { loadBalancingWeight: endpoint.weight }),
		});
	}
	const { region, zone } = (group[0] as Endpoint).locality;
	return {
		// Set even when nothing is known: gRPC clients refuse endpoints without it.
		locality: { region, zone },
		lbEndpoints,
		loadBalancingWeight: Math.max(1, weight),
	};
}

/** A TCP address as Envoy's messages want it. */
export function socketAddress(address: string, port: number) {
	return {
		address: {
			case: "socketAddress" as const,
			value: {
				address,
				portSpecifier: { case: "portValue" as const, value: port },
			},
		},
	};
}
