import { hash } from "node:crypto";
import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { ObjectRef } from "../../api/object-ref.ts";
import type { Resource } from "../resource.ts";
import { encode } from "./encode.ts";

/**
 * Encodes a message once and names it by the hash of its bytes.
 *
 * @param clusters what `Resource.clusters` says
 */
export function makeResource<Desc extends DescMessage>(
	schema: Desc,
	name: string,
	message: MessageInitShape<Desc>,
	origins: readonly ObjectRef[],
	clusters: readonly string[] = [],
): Resource {
	const resource = resourceOfBytes(name, encode(schema, message), origins);
	return clusters.length > 0 ? { ...resource, clusters } : resource;
}

/** A resource from a message that is encoded already. */
export function resourceOfBytes(
	name: string,
	bytes: Uint8Array,
	origins: readonly ObjectRef[],
): Resource {
	return { name, version: versionOf(bytes), bytes, origins };
}

/** Sixteen characters of a SHA-1: versions need to differ, not to resist an attacker. */
function versionOf(bytes: Uint8Array): string {
	return hash("sha1", bytes, "base64url").slice(0, 16);
}
