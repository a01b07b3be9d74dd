import type { JsonObject, JsonValue } from "../json.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, typeUrls } from "../resource-type.ts";
import { defaults } from "./defaults.ts";
import { overloadManager } from "./overload-manager.ts";
import type { Printer } from "./print.ts";

/**
 * A bootstrap that Envoy runs as it is, without a control plane: what a proxy
 * would be sent (state-of-the-world form), with each reference to the control
 * plane replaced by what it would have answered.
 */
export function staticBootstrap(
	rendered: ReadonlyMap<ResourceType, readonly Resource[]>,
	print: Printer,
): JsonObject {
	const printed = (type: ResourceType) =>
		new Map(
			(rendered.get(type) ?? []).map((resource) => [
				resource.name,
				print(typeUrls[type], resource.bytes) as JsonObject,
			]),
		);
	const assignments = printed("endpoint");
	const routes = printed("route");
	return {
		admin: {
			address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
		},
		overload_manager: overloadManager({}),
		layered_runtime: {
			layers: [
				{
					name: "static",
					static_layer: {
						"re2.max_program_size.error_level": defaults.maxRegexProgramSize,
						"re2.max_program_size.warn_level": defaults.maxRegexProgramSize,
					},
				},
			],
		},
		static_resources: {
			clusters: [...printed("cluster").values()].map((cluster) =>
				withEndpoints(cluster, assignments),
			),
			listeners: [...printed("listener").values()].map(
				(listener) => withRoutes(listener, routes) as JsonObject,
			),
		},
	};
}

function withEndpoints(
	cluster: JsonObject,
	assignments: ReadonlyMap<string, JsonObject>,
): JsonObject {
	if (cluster["type"] !== "EDS") return cluster;
	const { eds_cluster_config: _, ...rest } = cluster;
	const assignment = assignments.get(String(cluster["name"]));
	return {
		...rest,
		type: "STATIC",
		...(assignment && { load_assignment: assignment }),
	};
}

/** Connection managers stand at any depth of a listener. */
function withRoutes(
	value: JsonValue,
	routes: ReadonlyMap<string, JsonObject>,
): JsonValue {
	if (Array.isArray(value))
		return value.map((item) => withRoutes(item, routes));
	if (value === null || typeof value !== "object") return value;
	const entries = Object.entries(value).map(
		([key, member]): [string, JsonValue] =>
			key === "rds"
				? ["route_config", routesNamed(member, routes)]
				: [key, withRoutes(member, routes)],
	);
	return Object.fromEntries(entries);
}

function routesNamed(
	rds: JsonValue,
	routes: ReadonlyMap<string, JsonObject>,
): JsonObject {
	const name = String((rds as JsonObject)["route_config_name"]);
	// Static route configurations are checked for unknown clusters by default, pushed ones are not.
	return { ...(routes.get(name) ?? { name }), validate_clusters: false };
}
