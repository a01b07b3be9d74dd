/*
 * As much of delta discovery as a client needs that mostly counts: of responses
 * only the outer fields are read, so that the load costs little beside what it
 * loads. Fields as of `envoy/service/discovery/v3/discovery.proto`.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
	Cluster_DiscoveryType,
	ClusterSchema,
} from "../src/gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import type { Node } from "../src/gen/envoy/envoy/config/core/v3/base_pb.js";
import { ListenerSchema } from "../src/gen/envoy/envoy/config/listener/v3/listener_pb.js";
import { HttpConnectionManagerSchema } from "../src/gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import {
	DeltaDiscoveryRequestSchema,
	ResourceSchema,
} from "../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";

/** The types that a sidecar asks for. */
export const typeUrls = {
	cluster: "type.googleapis.com/envoy.config.cluster.v3.Cluster",
	endpoint:
		"type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
	listener: "type.googleapis.com/envoy.config.listener.v3.Listener",
	route: "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
	virtualHost: "type.googleapis.com/envoy.config.route.v3.VirtualHost",
} as const;

/** What a request says. */
export interface RequestFields {
	readonly typeUrl: string;
	readonly subscribe?: readonly string[];
	readonly nonce?: string;
	readonly node?: Node;
}

/** A request as one gRPC message. */
export function encodeRequest(fields: RequestFields): Buffer {
	const { typeUrl, subscribe = [], nonce = "", node } = fields;
	const message = create(DeltaDiscoveryRequestSchema, {
		typeUrl,
		resourceNamesSubscribe: [...subscribe],
		responseNonce: nonce,
		...(node && { node }),
	});
	return encodeFrame(toBinary(DeltaDiscoveryRequestSchema, message));
}

/** An encoded message as gRPC sends it. */
export function encodeFrame(bytes: Uint8Array): Buffer {
	const framed = Buffer.alloc(5 + bytes.length);
	framed.writeUInt32BE(bytes.length, 1);
	framed.set(bytes, 5);
	return framed;
}

/** The outer fields of a response. */
export interface Response {
	readonly typeUrl: string;
	readonly nonce: string;
	/** Encoded `Resource` messages. */
	readonly resources: readonly Buffer[];
	readonly removed: number;
}

/** Reads the outer fields of an encoded response. */
export function readResponse(bytes: Buffer): Response {
	const resources: Buffer[] = [];
	let typeUrl = "";
	let nonce = "";
	let removed = 0;
	let at = 0;
	while (at < bytes.length) {
		const [tag, afterTag] = readVarint(bytes, at);
		const [length, start] = readVarint(bytes, afterTag);
		const value = bytes.subarray(start, start + length);
		switch (tag) {
			case 0x12:
				resources.push(value);
				break;
			case 0x22:
				typeUrl = value.toString("latin1");
				break;
			case 0x2a:
				nonce = value.toString("latin1");
				break;
			case 0x32:
				removed++;
				break;
			default:
				// Every other field of the message has a length too.
				if ((tag & 7) !== 2) throw new Error(`Field ${tag} is unexpected.`);
		}
		at = start + length;
	}
	return { typeUrl, nonce, resources, removed };
}

function readVarint(bytes: Buffer, start: number): readonly [number, number] {
	let value = 0;
	let factor = 1;
	for (let at = start; ; at++) {
		const byte = bytes[at];
		if (byte === undefined) throw new Error("The message ends too early.");
		value += (byte & 0x7f) * factor;
		if (byte < 0x80) return [value, at + 1];
		factor *= 0x80;
	}
}

/** Name and version of an encoded `Resource` message. */
export function nameAndVersionOf(
	bytes: Buffer,
): readonly [name: string, version: string] {
	const { name, version } = fromBinary(ResourceSchema, bytes);
	return [name, version];
}

/** Names under which a client asks for the endpoints of encoded clusters. */
export function endpointNamesOf(
	resources: readonly Buffer[],
): readonly string[] {
	return resources.flatMap((bytes) => {
		const any = fromBinary(ResourceSchema, bytes).resource;
		const cluster = any && anyUnpack(any, ClusterSchema);
		if (
			cluster?.clusterDiscoveryType.case !== "type" ||
			cluster.clusterDiscoveryType.value !== Cluster_DiscoveryType.EDS
		)
			return [];
		return [cluster.edsClusterConfig?.serviceName || cluster.name];
	});
}

/** Names of the route configurations that encoded listeners point at. */
export function routeNamesOf(resources: readonly Buffer[]): readonly string[] {
	const names = new Set<string>();
	for (const bytes of resources) {
		const any = fromBinary(ResourceSchema, bytes).resource;
		const listener = any && anyUnpack(any, ListenerSchema);
		const chains = [
			...(listener?.filterChains ?? []),
			...(listener?.defaultFilterChain ? [listener.defaultFilterChain] : []),
		];
		for (const { configType } of chains.flatMap(({ filters }) => filters)) {
			if (configType.case !== "typedConfig") continue;
			const manager = anyUnpack(configType.value, HttpConnectionManagerSchema);
			if (manager?.routeSpecifier.case === "rds")
				names.add(manager.routeSpecifier.value.routeConfigName);
		}
	}
	return [...names];
}
