import type { Resource } from "./resource.ts";
import type { ResourceType } from "./resource-type.ts";

/** Names of resources that were added, replaced or removed, by type. */
export type ChangedNames = ReadonlyMap<ResourceType, ReadonlySet<string>>;

/**
 * What one proxy may have, now. It is the newest state, not a history: a stream
 * that was busy asks again and gets what is current.
 */
export interface ProxyResources {
	/** The resource, or undefined when there is none of this name. */
	get(type: ResourceType, name: string): Resource | undefined;
	/** Every name of this type. */
	names(type: ResourceType): Iterable<string>;
	/** Calls `listener` after each change until the returned function is called. */
	subscribe(listener: (changed: ChangedNames) => void): () => void;
}
