import { compareRefs } from "../../api/object-ref.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";

/** Collects the names of what changed, by type. */
export class ChangeCollector {
	readonly names = new Map<ResourceType, Set<string>>();

	/** Notes that the resource of this name was added, replaced or removed. */
	add(type: ResourceType, name: string): void {
		const names = this.names.get(type);
		if (names) names.add(name);
		else this.names.set(type, new Set([name]));
	}
}

/** Is told what happens in layers. */
export interface LayerObserver {
	/** These were generated; some may be shared with other layers, or equal to what is there. */
	generated(type: ResourceType, resources: readonly Resource[]): void;
	/** A layer has a resource instead of another. */
	replaced(
		layer: ResourceLayer,
		type: ResourceType,
		before: Resource | undefined,
		after: Resource | undefined,
	): void;
}

/** Resources of all types that change together, for one group of proxies. */
export class ResourceLayer {
	readonly #observer: LayerObserver;
	readonly #byType = new Map<ResourceType, Map<string, Resource>>(
		sendOrder.map((type) => [type, new Map()]),
	);
	/** Names that each owner put, so that what it no longer puts can be removed. */
	readonly #owned = new Map<ResourceType, Map<string, readonly string[]>>(
		sendOrder.map((type) => [type, new Map()]),
	);

	constructor(observer: LayerObserver) {
		this.#observer = observer;
	}

	/** The resource of this name, or undefined. */
	get(type: ResourceType, name: string): Resource | undefined {
		return this.#of(type).get(name);
	}

	/** Every resource of this type, by name. */
	all(type: ResourceType): ReadonlyMap<string, Resource> {
		return this.#of(type);
	}

	/** Every resource, with its type. */
	*entries(): Iterable<readonly [ResourceType, Resource]> {
		for (const [type, resources] of this.#byType) {
			for (const resource of resources.values()) yield [type, resource];
		}
	}

	/**
	 * Makes `resources` everything of this type that `owner` has. A resource with
	 * the version that is there already changes nothing.
	 */
	replace(
		type: ResourceType,
		owner: string,
		resources: readonly Resource[],
		changes: ChangeCollector,
	): void {
		this.#observer.generated(type, resources);
		const current = this.#of(type);
		const owned = this.#owned.get(type);
		const before = owned?.get(owner);
		for (const resource of resources) {
			const old = current.get(resource.name);
			if (old?.version === resource.version) {
				// Same bytes; but it may be somebody else's fault now.
				if (!sameOrigins(old, resource)) {
					const renamed = { ...old, origins: resource.origins };
					current.set(resource.name, renamed);
					this.#observer.replaced(this, type, old, renamed);
				}
				continue;
			}
			current.set(resource.name, resource);
			changes.add(type, resource.name);
			this.#observer.replaced(this, type, old, resource);
		}
		if (before !== undefined) {
			const kept = new Set(resources.map(({ name }) => name));
			for (const name of before) {
				if (kept.has(name)) continue;
				this.#observer.replaced(this, type, current.get(name), undefined);
				current.delete(name);
				changes.add(type, name);
			}
		}
		if (resources.length === 0) owned?.delete(owner);
		else
			owned?.set(
				owner,
				resources.map(({ name }) => name),
			);
	}

	#of(type: ResourceType): Map<string, Resource> {
		const resources = this.#byType.get(type);
		if (resources === undefined) throw new Error(`unknown type ${type}`);
		return resources;
	}
}

function sameOrigins(a: Resource, b: Resource): boolean {
	return (
		a.origins.length === b.origins.length &&
		a.origins.every((ref, i) => {
			const other = b.origins[i];
			return other !== undefined && compareRefs(ref, other) === 0;
		})
	);
}
