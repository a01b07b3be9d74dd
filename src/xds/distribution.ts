// How far each object has come: which resources carry it now, how many proxies
// should have each of them, and how many say that they do.
//
// There is no matrix of objects and proxies. A version is a hash over a
// resource's bytes, its name among them, so one counter per version is enough:
//
//   wanted by  = proxies of the layers that hold this version now
//   held by    = proxies that acknowledged it and nothing newer
//
// An object is everywhere when no resource that carries it is wanted by more
// proxies than hold it.
import { type ObjectRef, objectKey } from "../api/object-ref.ts";
import type { Resource } from "./resource.ts";
import type { ResourceLayer } from "./resource-layer.ts";
import type { ResourceType } from "./resource-type.ts";

/** What one stream can be asked about its proxy. */
export interface HeldView {
	/** The version that the proxy has acknowledged, or undefined when it has none of this name. */
	version(type: ResourceType, name: string): string | undefined;
	/** Every version that it has acknowledged. */
	versions(): Iterable<string>;
	/** What it said to the version of this name that it rejected last and that was not replaced since. */
	rejection(
		type: ResourceType,
		name: string,
	): { readonly version: string; readonly message: string } | undefined;
}

/** A proxy that counts, from the moment it had everything for the first time. */
export interface CountedProxy {
	/** As people know it: `namespace/name` of its workload. */
	readonly name: string;
	readonly view: HeldView;
	/** Layers whose resources it should have. */
	readonly layers: ReadonlySet<ResourceLayer>;
}

/** How far the newest resources of an object have come. */
export interface Reach {
	/** Proxies that need it. */
	readonly total: number;
	/** Those that have acknowledged all of it. */
	readonly acknowledged: number;
	readonly rejected: number;
	/** Names of proxies that lack some of it; a few. */
	readonly missing: readonly string[];
	readonly rejections: readonly {
		readonly proxy: string;
		readonly message: string;
	}[];
}

/** A resource that carries an object, and where it stands. */
interface Carried {
	readonly type: ResourceType;
	readonly resource: Resource;
	readonly layers: Set<ResourceLayer>;
}

const namesShown = 3;

/** Counts what proxies have, per resource; answers per object. */
export class Distribution {
	/** By version: resources that are current in some layer. */
	readonly #current = new Map<string, Carried>();
	/** By version: counted proxies that hold it, current or not. */
	readonly #held = new Map<string, number>();
	/** By kind and key of the object: versions of resources that carry it. */
	readonly #versions = new Map<string, Set<string>>();
	readonly #users = new Map<ResourceLayer, number>();
	readonly #proxies = new Set<CountedProxy>();
	/** Versions that some proxy lacks. */
	readonly #incomplete = new Set<string>();
	readonly #listeners = new Set<(refs: Iterable<ObjectRef>) => void>();
	readonly #totalsListeners = new Set<() => void>();
	#touched = new Map<string, ObjectRef>();

	/** Calls `listener` with objects that came everywhere, or no longer are, until the returned function is called. */
	subscribe(listener: (refs: Iterable<ObjectRef>) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Calls `listener` when other proxies count than before, so that any object's total may differ, until the returned function is called. */
	subscribeTotals(listener: () => void): () => void {
		this.#totalsListeners.add(listener);
		return () => this.#totalsListeners.delete(listener);
	}

	/** Tells what changed since the last call; whoever changes something calls this once at the end. */
	flush(): void {
		if (this.#touched.size === 0) return;
		const refs = this.#touched;
		this.#touched = new Map();
		for (const listener of [...this.#listeners]) listener(refs.values());
	}

	/** A layer now has `after` where it had `before`. */
	replaced(
		layer: ResourceLayer,
		type: ResourceType,
		before: Resource | undefined,
		after: Resource | undefined,
	): void {
		if (before !== undefined) this.#drop(layer, before);
		if (after !== undefined) this.#carry(layer, type, after);
	}

	/** Nobody uses this layer any more. */
	layerGone(layer: ResourceLayer): void {
		for (const [, resource] of layer.entries()) this.#drop(layer, resource);
		this.#users.delete(layer);
	}

	/** A proxy has everything for the first time, or has had long enough: from now on it counts. */
	joined(proxy: CountedProxy): void {
		this.#proxies.add(proxy);
		for (const version of proxy.view.versions()) this.#count(version, 1);
		for (const layer of proxy.layers) this.#use(layer, 1);
		this.#recheckLayers(proxy.layers);
		this.#tellTotals();
	}

	/** A counted proxy is gone. */
	left(proxy: CountedProxy): void {
		if (!this.#proxies.delete(proxy)) return;
		for (const version of proxy.view.versions()) this.#count(version, -1);
		for (const layer of proxy.layers) this.#use(layer, -1);
		for (const version of [...this.#incomplete]) this.#check(version);
		this.#tellTotals();
	}

	/** A counted proxy should have what another layer holds. */
	moved(proxy: CountedProxy, from: ResourceLayer, to: ResourceLayer): void {
		if (!this.#proxies.has(proxy)) return;
		this.#use(from, -1);
		this.#use(to, 1);
		this.#recheckLayers([from, to]);
	}

	/** A counted proxy has acknowledged some versions, and no longer has others. */
	held(gained: readonly string[], lost: readonly string[]): void {
		for (const version of gained) this.#count(version, 1);
		for (const version of lost) this.#count(version, -1);
		for (const version of gained) this.#check(version);
		for (const version of lost) this.#check(version);
	}

	/** A proxy rejected this resource. */
	rejected(resource: Resource): void {
		this.#touch(resource);
	}

	/** Whether nobody counts and nobody is remembered. */
	get isEmpty(): boolean {
		return (
			this.#proxies.size === 0 &&
			this.#held.size === 0 &&
			this.#incomplete.size === 0
		);
	}

	/** Whether every proxy that needs the object has all of it. */
	isEverywhere(ref: ObjectRef): boolean {
		for (const version of this.#versions.get(keyOf(ref)) ?? []) {
			if (this.#incomplete.has(version)) return false;
		}
		return true;
	}

	/** Whether a resource of this version is what some proxies should have now. */
	isCurrent(version: string): boolean {
		return this.#current.has(version);
	}

	/** Types of the resources that carry an object now. */
	typesOf(ref: ObjectRef): ReadonlySet<ResourceType> {
		const types = new Set<ResourceType>();
		for (const version of this.#versions.get(keyOf(ref)) ?? []) {
			const carried = this.#current.get(version);
			if (carried !== undefined) types.add(carried.type);
		}
		return types;
	}

	/** How far the object has come. Costs a look at each proxy only while some proxy lacks it. */
	reachOf(ref: ObjectRef): Reach {
		const carried = [...(this.#versions.get(keyOf(ref)) ?? [])].flatMap(
			(version) => this.#current.get(version) ?? [],
		);
		const layers = new Set(carried.flatMap((one) => [...one.layers]));
		const complete = this.isEverywhere(ref);
		let total = 0;
		let acknowledged = 0;
		const missing: string[] = [];
		const rejections: { proxy: string; message: string }[] = [];
		for (const proxy of this.#proxies) {
			if (!intersects(proxy.layers, layers)) continue;
			total++;
			if (complete) {
				acknowledged++;
				continue;
			}
			const lacked = carried.filter(
				({ type, resource, layers: where }) =>
					intersects(proxy.layers, where) &&
					proxy.view.version(type, resource.name) !== resource.version,
			);
			if (lacked.length === 0) {
				acknowledged++;
				continue;
			}
			if (missing.length < namesShown) missing.push(proxy.name);
			for (const { type, resource } of lacked) {
				const rejection = proxy.view.rejection(type, resource.name);
				if (rejection?.version !== resource.version) continue;
				rejections.push({ proxy: proxy.name, message: rejection.message });
				break;
			}
		}
		return {
			total,
			acknowledged,
			rejected: rejections.length,
			missing,
			rejections: rejections.slice(0, namesShown),
		};
	}

	#tellTotals(): void {
		for (const listener of [...this.#totalsListeners]) listener();
	}

	#carry(layer: ResourceLayer, type: ResourceType, resource: Resource): void {
		const known = this.#current.get(resource.version);
		if (known === undefined) {
			this.#current.set(resource.version, {
				type,
				resource,
				layers: new Set([layer]),
			});
		} else {
			known.layers.add(layer);
		}
		for (const ref of resource.origins) {
			const key = keyOf(ref);
			const versions = this.#versions.get(key);
			if (versions === undefined) {
				this.#versions.set(key, new Set([resource.version]));
			} else versions.add(resource.version);
		}
		this.#touch(resource);
		this.#check(resource.version);
	}

	#drop(layer: ResourceLayer, resource: Resource): void {
		const { version } = resource;
		const known = this.#current.get(version);
		known?.layers.delete(layer);
		this.#touch(resource);
		if (known === undefined || known.layers.size > 0) return;
		this.#current.delete(version);
		this.#incomplete.delete(version);
		for (const ref of resource.origins) {
			const key = keyOf(ref);
			const versions = this.#versions.get(key);
			versions?.delete(version);
			if (versions?.size === 0) this.#versions.delete(key);
		}
	}

	#count(version: string, by: number): void {
		const held = (this.#held.get(version) ?? 0) + by;
		if (held === 0) this.#held.delete(version);
		else this.#held.set(version, held);
	}

	#use(layer: ResourceLayer, by: number): void {
		this.#users.set(layer, (this.#users.get(layer) ?? 0) + by);
	}

	/** Whether some proxy lacks this version now; objects are touched when that changed. */
	#check(version: string): void {
		const carried = this.#current.get(version);
		if (carried === undefined) return;
		let wanted = 0;
		for (const layer of carried.layers) wanted += this.#users.get(layer) ?? 0;
		const lacking = wanted > (this.#held.get(version) ?? 0);
		if (lacking === this.#incomplete.has(version)) return;
		if (lacking) this.#incomplete.add(version);
		else this.#incomplete.delete(version);
		this.#touch(carried.resource);
	}

	#recheckLayers(layers: Iterable<ResourceLayer>): void {
		for (const layer of layers) {
			for (const [, resource] of layer.entries()) {
				this.#check(resource.version);
			}
		}
	}

	#touch(resource: Resource): void {
		for (const ref of resource.origins) this.#touched.set(keyOf(ref), ref);
	}
}

function keyOf(ref: ObjectRef): string {
	return `${ref.kind} ${objectKey(ref)}`;
}

function intersects<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
	for (const one of a) if (b.has(one)) return true;
	return false;
}
