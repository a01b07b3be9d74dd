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

/** Whom a layer is for, besides its proxies. */
export interface LayerPlace {
	/** The id of the edition of the mesh that it is made from. */
	readonly edition: string;
	readonly observer: LayerObserver;
	/** Holds nearly the same: what is equal there is shared by reference, and a new layer begins with all of it. */
	readonly twin?: ResourceLayer | undefined;
}

/** Resources of all types that change together, for one group of proxies. */
export class ResourceLayer {
	/** The id of the edition of the mesh that it is made from. */
	readonly edition: string;
	readonly #observer: LayerObserver;
	readonly #twin: ResourceLayer | undefined;
	readonly #byType = new Map<ResourceType, Map<string, Resource>>(
		sendOrder.map((type) => [type, new Map()]),
	);
	/** Names that each owner put, so that what it no longer puts can be removed. */
	readonly #owned = new Map<ResourceType, Map<string, readonly string[]>>(
		sendOrder.map((type) => [type, new Map()]),
	);

	constructor({ edition, observer, twin }: LayerPlace) {
		this.edition = edition;
		this.#observer = observer;
		this.#twin = twin;
		if (twin === undefined) return;
		for (const [type, resource] of twin.entries()) {
			this.#of(type).set(resource.name, resource);
			observer.replaced(this, type, undefined, resource);
		}
		for (const [type, owned] of twin.#owned)
			this.#owned.set(type, new Map(owned));
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
		for (const made of resources) {
			const twin = this.#twin?.get(type, made.name);
			const resource = twin && isSame(twin, made) ? twin : made;
			const old = current.get(resource.name);
			if (old?.version === resource.version) {
				// Same bytes; but it may be somebody else's fault now.
				if (!sameOrigins(old, resource)) {
					const renamed =
						resource === twin ? twin : { ...old, origins: resource.origins };
					current.set(resource.name, renamed);
					this.#observer.replaced(this, type, old, renamed);
				} else if (resource === twin) current.set(resource.name, twin);
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

function isSame(a: Resource, b: Resource): boolean {
	return a.version === b.version && sameOrigins(a, b);
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
