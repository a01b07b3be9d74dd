import type { ObjectRef } from "../../api/object-ref.ts";
import {
	ListenerSchema,
	type ListenerSchema as Schema,
} from "../../gen/envoy/envoy/config/listener/v3/listener_pb.js";
import type { Resource } from "../resource.ts";
import { socketAddress } from "./endpoint.ts";
import type { Init } from "./init.ts";
import { makeResource } from "./make-resource.ts";

/** A listener, before encoding. */
export type ListenerInit = Init<typeof Schema>;

/**
 * A listener as a resource.
 *
 * @param clusters what `Resource.clusters` says
 */
export function listenerResource(
	init: ListenerInit & { name: string },
	origins: readonly ObjectRef[] = [],
	clusters: readonly string[] = [],
): Resource {
	return makeResource(ListenerSchema, init.name, init, origins, clusters);
}

/** `127.0.0.1:8080` or `[::1]:8080` as Envoy's address. */
export function listenAddress(listen: string) {
	const colon = listen.lastIndexOf(":");
	return socketAddress(
		listen.slice(0, colon).replace(/^\[|\]$/g, ""),
		Number(listen.slice(colon + 1)),
	);
}
