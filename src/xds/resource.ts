import type { ObjectRef } from "../api/object-ref.ts";

/** One xDS resource, encoded once and shared by every stream that sends it. */
export interface Resource {
	readonly name: string;
	/** Hash of the bytes: equal on every replica and after a restart. */
	readonly version: string;
	/** The encoded message, without its Any. */
	readonly bytes: Uint8Array;
	/** Who is told when a proxy rejects it. */
	readonly origins: readonly ObjectRef[];
	/** Clusters that it sends requests to, as far as they come and go; a proxy gets them first. */
	readonly clusters?: readonly string[];
}
