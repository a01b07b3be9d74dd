/** A type of xDS resource that is served. */
export type ResourceType =
	| "cluster"
	| "endpoint"
	| "listener"
	| "route"
	| "virtualHost";

/** Type URLs as they stand on the wire. */
export const typeUrls: { readonly [T in ResourceType]: string } = {
	cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
	endpoint:
		"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
	listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
	route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
	virtualHost: "type.googleapis.com/envoy.config.route.v3.VirtualHost",
};

/** The type with this URL, or undefined when it is not served. */
export function resourceTypeOf(typeUrl: string): ResourceType | undefined {
	for (const type of sendOrder) {
		if (typeUrls[type] === typeUrl) return type;
	}
	return undefined;
}

/**
 * The order in which new resources go out, so that nothing refers to what a
 * proxy does not have yet; removals go in reverse. See xDS protocol,
 * "Eventual consistency considerations".
 */
export const sendOrder: readonly ResourceType[] = [
	"cluster",
	"endpoint",
	"listener",
	"route",
	"virtualHost",
];
