import type { Endpoint } from "../../mesh/endpoint.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import type { Hostname, Service } from "../../mesh/service.ts";
import type { Subset } from "../../mesh/subset.ts";

/** How traffic reaches a proxy; what a service becomes depends on it only where the proxy must find the address by itself. */
export type Attachment = "captured" | "explicit";

/** What clusters and endpoints of one service are made of. */
export interface ServiceView {
	readonly service: Service;
	readonly subsets: readonly Subset[];
	readonly endpoints: readonly Endpoint[];
}

const none: readonly never[] = [];

/** The parts of the mesh that concern one service, or undefined when there is no such service. */
export function serviceView(
	mesh: Mesh,
	hostname: Hostname,
): ServiceView | undefined {
	const service = mesh.services.get(hostname);
	if (service === undefined) return undefined;
	return {
		service,
		subsets: mesh.subsets.get(hostname) ?? none,
		endpoints: mesh.endpoints.get(hostname) ?? none,
	};
}
