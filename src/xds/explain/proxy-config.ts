import {
	type DescMessage,
	fromBinary,
	type MessageShape,
} from "@bufbuild/protobuf";
import type { ObjectRef } from "../../api/object-ref.ts";
import {
	type Cluster,
	ClusterSchema,
} from "../../gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import {
	type ClusterLoadAssignment,
	ClusterLoadAssignmentSchema,
} from "../../gen/envoy/envoy/config/endpoint/v3/endpoint_pb.js";
import {
	type Listener,
	ListenerSchema,
} from "../../gen/envoy/envoy/config/listener/v3/listener_pb.js";
import {
	type VirtualHost,
	VirtualHostSchema,
} from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import {
	type RouteConfiguration,
	RouteConfigurationSchema,
} from "../../gen/envoy/envoy/config/route/v3/route_pb.js";
import type { Resource } from "../resource.ts";
import type { ResourceType } from "../resource-type.ts";

/** A decoded resource and the objects it comes from. */
export interface Sourced<Message> {
	readonly message: Message;
	readonly origins: readonly ObjectRef[];
}

/** Everything that one proxy was given, decoded, by name. */
export interface ProxyConfig {
	readonly listeners: ReadonlyMap<string, Sourced<Listener>>;
	readonly routes: ReadonlyMap<string, Sourced<RouteConfiguration>>;
	readonly virtualHosts: ReadonlyMap<string, Sourced<VirtualHost>>;
	readonly clusters: ReadonlyMap<string, Sourced<Cluster>>;
	readonly endpoints: ReadonlyMap<string, Sourced<ClusterLoadAssignment>>;
}

/** Decodes the bytes that a proxy is sent. Throws an Error when they are not of their type. */
export function decodeConfig(
	resources: ReadonlyMap<ResourceType, readonly Resource[]>,
): ProxyConfig {
	const decode = <Desc extends DescMessage>(type: ResourceType, schema: Desc) =>
		new Map<string, Sourced<MessageShape<Desc>>>(
			(resources.get(type) ?? []).map(({ name, bytes, origins }) => [
				name,
				{ message: fromBinary(schema, bytes), origins },
			]),
		);
	return {
		listeners: decode("listener", ListenerSchema),
		routes: decode("route", RouteConfigurationSchema),
		virtualHosts: decode("virtualHost", VirtualHostSchema),
		clusters: decode("cluster", ClusterSchema),
		endpoints: decode("endpoint", ClusterLoadAssignmentSchema),
	};
}
