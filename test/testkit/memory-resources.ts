import type {
	AttachedProxy,
	ProxyDirectory,
} from "../../src/xds/proxy-directory.ts";
import type {
	ChangedNames,
	ProxyResources,
	SplitResources,
} from "../../src/xds/proxy-resources.ts";
import type { Resource } from "../../src/xds/resource.ts";
import { type ResourceType, sendOrder } from "../../src/xds/resource-type.ts";

/** Changes that belong together: a resource to put, or a name to remove. */
export type MemoryChange =
	| { readonly type: ResourceType; readonly put: Resource }
	| { readonly type: ResourceType; readonly remove: string };

/** The resources of one proxy, or of all of them, held in memory and changed by hand. */
export class MemoryResources implements ProxyResources, ProxyDirectory {
	readonly #byType = new Map<ResourceType, Map<string, Resource>>(
		sendOrder.map((type) => [type, new Map()]),
	);
	readonly #listeners = new Set<(changed: ChangedNames) => void>();
	/** How many streams are attached. */
	attached = 0;

	get(type: ResourceType, name: string): Resource | undefined {
		return this.#byType.get(type)?.get(name);
	}

	names(type: ResourceType): Iterable<string> {
		return this.#byType.get(type)?.keys() ?? [];
	}

	/** All but the last count as shared, however few they are. */
	split(type: ResourceType): SplitResources {
		const all = [...(this.#byType.get(type) ?? [])];
		return {
			shared: new Map(all.slice(0, -1)),
			others: all.slice(-1).map(([name]) => name),
		};
	}

	subscribe(listener: (changed: ChangedNames) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	attach(): AttachedProxy {
		this.attached += 1;
		return {
			resources: this,
			count: () => undefined,
			held: () => undefined,
			rejected: () => undefined,
			release: () => {
				this.attached -= 1;
			},
		};
	}

	/** Applies changes together and tells everyone once. */
	change(changes: readonly MemoryChange[]): ChangedNames {
		const changed = new Map<ResourceType, Set<string>>();
		for (const change of changes) {
			const resources = this.#byType.get(change.type);
			const name = "put" in change ? change.put.name : change.remove;
			if ("put" in change) resources?.set(name, change.put);
			else resources?.delete(name);
			const names = changed.get(change.type) ?? new Set();
			changed.set(change.type, names.add(name));
		}
		for (const listener of this.#listeners) listener(changed);
		return changed;
	}
}

/** The changes that put `name@version` and remove `-name`, by type. */
export function changesOf(
	all: {
		readonly [T in ResourceType]?: readonly string[];
	},
): readonly MemoryChange[] {
	return sendOrder.flatMap((type) =>
		(all[type] ?? []).map((text): MemoryChange => {
			if (text.startsWith("-")) return { type, remove: text.slice(1) };
			const [name = "", version] = text.split("@");
			return { type, put: resource(name, version) };
		}),
	);
}

/** A resource whose content is of no interest: its version stands for it. One of version `2>one` points at the cluster `one`. */
export function resource(name: string, version = "1"): Resource {
	const [, cluster] = version.split(">");
	return {
		name,
		version,
		bytes: new TextEncoder().encode(`${name}@${version}`),
		origins: [],
		...(cluster !== undefined && { clusters: [cluster] }),
	};
}
