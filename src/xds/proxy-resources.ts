import type { Resource } from "./resource.ts";
import type { ResourceType } from "./resource-type.ts";

/** Names of resources that were added, replaced or removed, by type. */
export type ChangedNames = ReadonlyMap<ResourceType, ReadonlySet<string>>;

/** Resources that many proxies have, by name, in a map that never changes: whoever has the same map has the same resources. */
export type SharedSet = ReadonlyMap<string, Resource>;

/** The resources of one type that one proxy may have. */
export interface SplitResources {
	/** Most of them, or nothing when there are few; `get` answers each of these until the next change. */
	readonly shared: SharedSet;
	/** Names of all that are not in `shared`. */
	readonly others: readonly string[];
}

/**
 * What one proxy may have, now. It is the newest state, not a history: a stream
 * that was busy asks again and gets what is current.
 */
export interface ProxyResources {
	/** The resource, or undefined when there is none of this name. */
	get(type: ResourceType, name: string): Resource | undefined;
	/** Every name of this type. */
	names(type: ResourceType): Iterable<string>;
	/** Every name of this type, with what other proxies have too apart from the rest. */
	split(type: ResourceType): SplitResources;
	/** Calls `listener` after each change until the returned function is called. */
	subscribe(listener: (changed: ChangedNames) => void): () => void;
}
