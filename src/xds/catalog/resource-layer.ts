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
	readonly #byType: {
		[T in ResourceType]: Map<string, Resource>;
	} = {
		cluster: new Map(),
		endpoint: new Map(),
		listener: new Map(),
		route: new Map(),
		virtualHost: new Map(),
	};
	/** Types whose map was handed out and may change no more. */
	readonly #frozen = new Set<ResourceType>();
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
			this.#byType[type].set(resource.name, resource);
			observer.replaced(this, type, undefined, resource);
		}
		for (const [type, owned] of twin.#owned)
			this.#owned.set(type, new Map(owned));
	}

	/** The resource of this name, or undefined. */
	get(type: ResourceType, name: string): Resource | undefined {
		const resources = this.#byType[type];
		// Most layers have nothing of most types, and this is asked more than anything else.
		return resources.size === 0 ? undefined : resources.get(name);
	}

	/** Every resource of this type, by name. */
	all(type: ResourceType): ReadonlyMap<string, Resource> {
		return this.#byType[type];
	}

	/** Every resource of this type now, by name, in a map that never changes; the same map until something does. */
	snapshot(type: ResourceType): ReadonlyMap<string, Resource> {
		this.#frozen.add(type);
		return this.#byType[type];
	}

	/** Every resource, with its type. */
	*entries(): Iterable<readonly [ResourceType, Resource]> {
		for (const type of sendOrder) {
			for (const resource of this.#byType[type].values())
				yield [type, resource];
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
		let current = this.#byType[type];
		const put = (name: string, resource: Resource | undefined): void => {
			if (this.#frozen.delete(type)) {
				current = new Map(current);
				this.#byType[type] = current;
			}
			if (resource === undefined) current.delete(name);
			else current.set(name, resource);
		};
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
					put(resource.name, renamed);
					this.#observer.replaced(this, type, old, renamed);
				} else if (resource === twin && old !== twin) put(twin.name, twin);
				continue;
			}
			put(resource.name, resource);
			changes.add(type, resource.name);
			this.#observer.replaced(this, type, old, resource);
		}
		if (before !== undefined) {
			const kept = new Set(resources.map(({ name }) => name));
			for (const name of before) {
				if (kept.has(name)) continue;
				this.#observer.replaced(this, type, current.get(name), undefined);
				put(name, undefined);
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
