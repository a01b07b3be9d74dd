// How far each object has come: which resources carry it now, how many proxies
// should have each of them, and how many say that they do.
//
// There is no matrix of objects and proxies, only one counter per version (a
// hash over a resource's bytes, its name among them):
//
//   lacking = proxies of the layers that hold this version now
//             which have not acknowledged it, or something newer since
//
// An object is everywhere when nobody lacks a resource that carries it.
//
// From proxies of some software an object may be withheld: what they have of it
// is older, or nothing. They are not asked what they lack; those that would need
// the object are counted as proxies that refuse it.
import { type ObjectRef, objectKey } from "../../api/object-ref.ts";
import type { Withheld } from "../../mesh/editions.ts";
import type { SharedSet } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import type { ResourceLayer } from "./resource-layer.ts";

/** What one stream can be asked about its proxy. */
export interface HeldView {
	/** The version that the proxy has acknowledged, or undefined when it has none of this name. */
	version(type: ResourceType, name: string): string | undefined;
	/** Those of some resources, in a map that never changes, that the proxy has not acknowledged in this form. */
	lacked(type: ResourceType, all: SharedSet): Iterable<Resource>;
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
	/** The id of the edition of the mesh that it gets. */
	readonly edition: string;
	/** Layers whose resources it should have. */
	readonly layers: ReadonlySet<ResourceLayer>;
	/** Layers whose resources it would have if nothing were withheld from it; undefined when nothing is. */
	readonly full: ReadonlySet<ResourceLayer> | undefined;
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
	/** Counted proxies that should have it and do not. */
	lacking: number;
}

const namesShown = 3;

/** Proxies that are asked first who lacks something: a few are stuck at a time. */
const slowKept = 8;

/** Rejected versions that are remembered; of an older one that is still in force, only that proxies lack it is said. */
const refusedKept = 4096;

/** Counts what proxies have, per resource; answers per object. */
export class Distribution {
	/** By version: resources that are current in some layer. */
	readonly #current = new Map<string, Carried>();
	/** By kind and key of the object: versions of resources that carry it. */
	readonly #versions = new Map<string, Set<string>>();
	readonly #users = new Map<ResourceLayer, Set<CountedProxy>>();
	readonly #proxies = new Set<CountedProxy>();
	readonly #listeners = new Set<(refs: Iterable<ObjectRef>) => void>();
	readonly #totalsListeners = new Set<() => void>();
	#touched = new Map<string, ObjectRef>();
	/** Versions that some proxy has rejected. */
	readonly #refused = new Set<string>();
	/** By kind and key of the object: what is withheld, by edition. */
	#withheld: ReadonlyMap<string, ReadonlyMap<string, Withheld>> = new Map();
	/** Proxies that lacked something when names were asked for last. */
	#slow: readonly CountedProxy[] = [];
	/** How many proxies use any of some layers, by their numbers, until a proxy enters or leaves one. */
	readonly #unions = new Map<string, number>();
	readonly #numbers = new WeakMap<ResourceLayer, number>();
	#lastNumber = 0;

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

	/** From now on these objects are withheld, by edition, and no others. */
	withhold(byEdition: ReadonlyMap<string, readonly Withheld[]>): void {
		const before = this.#withheld;
		const now = new Map<string, Map<string, Withheld>>();
		for (const [edition, list] of byEdition) {
			for (const withheld of list) {
				const key = keyOf(withheld.ref);
				let editions = now.get(key);
				if (editions === undefined) {
					editions = new Map();
					now.set(key, editions);
				}
				editions.set(edition, withheld);
			}
		}
		this.#withheld = now;
		for (const withheld of [before, now]) {
			for (const [key, editions] of withheld)
				for (const { ref } of editions.values()) this.#touched.set(key, ref);
		}
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
		for (const layer of proxy.layers) this.#enter(proxy, layer);
		this.#tellTotals();
	}

	/** A counted proxy is gone; its view still says what it held. */
	left(proxy: CountedProxy): void {
		if (!this.#proxies.delete(proxy)) return;
		this.#slow = this.#slow.filter((one) => one !== proxy);
		for (const layer of proxy.layers) this.#leave(proxy, layer);
		this.#tellTotals();
	}

	/** A counted proxy should have what another layer holds. */
	moved(proxy: CountedProxy, from: ResourceLayer, to: ResourceLayer): void {
		if (!this.#proxies.has(proxy)) return;
		this.#leave(proxy, from);
		this.#enter(proxy, to);
	}

	/**
	 * A counted proxy has acknowledged some versions, and no longer has others.
	 *
	 * Expects: the proxy's view says so already, and said otherwise when anything
	 *   else was called last.
	 */
	held(
		proxy: CountedProxy,
		gained: readonly string[],
		lost: readonly string[],
	): void {
		for (const version of gained) this.#countIfWanted(proxy, version, -1);
		for (const version of lost) this.#countIfWanted(proxy, version, 1);
	}

	/** A proxy rejected this resource. */
	rejected(resource: Resource): void {
		this.#refused.delete(resource.version);
		this.#refused.add(resource.version);
		for (const oldest of this.#refused) {
			if (this.#refused.size <= refusedKept) break;
			this.#refused.delete(oldest);
		}
		this.#touch(resource);
	}

	/** Whether nobody counts and nothing is missed. */
	get isEmpty(): boolean {
		for (const { lacking } of this.#current.values()) {
			if (lacking !== 0) return false;
		}
		return this.#proxies.size === 0;
	}

	/** Whether every proxy that needs the object has all of it. */
	isEverywhere(ref: ObjectRef): boolean {
		return this.lackingOf(ref) === 0 && !this.#withheld.has(keyOf(ref));
	}

	/**
	 * How much of the object is lacking: resources, counted once for each proxy
	 * that lacks them. Costs no look at proxies.
	 */
	lackingOf(ref: ObjectRef): number {
		let lacking = 0;
		for (const version of this.#versions.get(keyOf(ref)) ?? []) {
			lacking += this.#current.get(version)?.lacking ?? 0;
		}
		return lacking;
	}

	/** Whether a resource of this version is what some proxies of an edition should have now. */
	isCurrent(edition: string, version: string): boolean {
		const carried = this.#current.get(version);
		return carried !== undefined && isOf(edition, carried);
	}

	/** The resources of an edition that carry an object now. */
	*carrying(
		edition: string,
		ref: ObjectRef,
	): Iterable<{ readonly type: ResourceType; readonly version: string }> {
		for (const version of this.#versions.get(keyOf(ref)) ?? []) {
			const carried = this.#current.get(version);
			if (carried !== undefined && isOf(edition, carried))
				yield { type: carried.type, version };
		}
	}

	/** How far the object has come. Costs a look at each proxy only while some may lack several of its resources, or have refused one. */
	reachOf(ref: ObjectRef): Reach {
		const key = keyOf(ref);
		const carried = [...(this.#versions.get(key) ?? [])].flatMap(
			(version) => this.#current.get(version) ?? [],
		);
		const withheld = this.#withheld.get(key);
		if (withheld !== undefined) return this.#reachByLook(carried, withheld);
		const lacked = carried.filter(({ lacking }) => lacking > 0);
		if (lacked.some(({ resource }) => this.#refused.has(resource.version)))
			return this.#reachByLook(carried);
		if (!this.#areApart(lacked)) return this.#reachByLook(carried);
		const total = this.#usersOf(carried);
		const missing: string[] = [];
		let lacking = 0;
		for (const one of lacked) {
			lacking += one.lacking;
			if (missing.length < namesShown) missing.push(...this.#namesLacking(one));
		}
		return {
			total,
			acknowledged: total - lacking,
			rejected: 0,
			missing: missing.slice(0, namesShown),
			rejections: [],
		};
	}

	#reachByLook(
		carried: readonly Carried[],
		withheld: ReadonlyMap<string, Withheld> = new Map(),
	): Reach {
		const layers = new Set(carried.flatMap((one) => [...one.layers]));
		let total = 0;
		let acknowledged = 0;
		const missing: string[] = [];
		const rejections: { proxy: string; message: string }[] = [];
		let rejected = 0;
		const quoted = new Set<string>();
		for (const proxy of this.#proxies) {
			const without = withheld.get(proxy.edition);
			if (without !== undefined) {
				if (!intersects(proxy.full ?? proxy.layers, layers)) continue;
				total++;
				if (without.rejections.length > 0) rejected++;
				else if (missing.length < namesShown) missing.push(proxy.name);
				if (!quoted.has(proxy.edition)) rejections.push(...without.rejections);
				quoted.add(proxy.edition);
				continue;
			}
			if (!intersects(proxy.layers, layers)) continue;
			total++;
			const lacked = carried.filter(
				(one) =>
					one.lacking > 0 &&
					intersects(proxy.layers, one.layers) &&
					lacks(proxy, one),
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
				rejected++;
				break;
			}
		}
		return {
			total,
			acknowledged,
			rejected,
			missing,
			rejections: rejections.slice(0, namesShown),
		};
	}

	/** Whether no proxy should have two of these, so that those who lack them can be added up: such as the virtual hosts of one service for callers in its namespace and in others. */
	#areApart(carried: readonly Carried[]): boolean {
		if (carried.length < 2) return true;
		let users = 0;
		for (const one of carried) users += this.#usersOf([one]);
		return users === this.#usersOf(carried);
	}

	/** How many proxies use a layer that holds one of these. */
	#usersOf(carried: readonly Carried[]): number {
		const [layer, ...others] = new Set(
			carried.flatMap((one) => [...one.layers]),
		);
		if (layer === undefined) return 0;
		const users = this.#users.get(layer);
		if (others.length === 0) return users?.size ?? 0;
		const key = [layer, ...others].map((one) => this.#numberOf(one)).join(" ");
		let count = this.#unions.get(key);
		if (count === undefined) {
			const all = new Set(users);
			for (const other of others)
				for (const proxy of this.#users.get(other) ?? []) all.add(proxy);
			count = all.size;
			this.#unions.set(key, count);
		}
		return count;
	}

	#numberOf(layer: ResourceLayer): number {
		let number = this.#numbers.get(layer);
		if (number === undefined) {
			number = ++this.#lastNumber;
			this.#numbers.set(layer, number);
		}
		return number;
	}

	/** Names of a few proxies that lack it. Whoever lacked something else is asked first: a proxy that is stuck lacks everything. */
	#namesLacking(carried: Carried): readonly string[] {
		const wanted = Math.min(namesShown, carried.lacking);
		const found = new Set<CountedProxy>();
		const look = (proxies: Iterable<CountedProxy>): void => {
			for (const proxy of proxies) {
				if (found.size >= wanted) return;
				if (intersects(proxy.layers, carried.layers) && lacks(proxy, carried))
					found.add(proxy);
			}
		};
		look(this.#slow);
		for (const layer of carried.layers) look(this.#users.get(layer) ?? []);
		this.#slow = [...new Set([...found, ...this.#slow])].slice(0, slowKept);
		return [...found].map(({ name }) => name);
	}

	#tellTotals(): void {
		for (const listener of [...this.#totalsListeners]) listener();
	}

	#carry(layer: ResourceLayer, type: ResourceType, resource: Resource): void {
		const { version } = resource;
		let carried = this.#current.get(version);
		if (carried === undefined) {
			carried = { type, resource, layers: new Set(), lacking: 0 };
			this.#current.set(version, carried);
		}
		carried.layers.add(layer);
		for (const ref of resource.origins) {
			const key = keyOf(ref);
			const versions = this.#versions.get(key);
			if (versions === undefined) this.#versions.set(key, new Set([version]));
			else versions.add(version);
		}
		this.#touch(resource);
		for (const proxy of this.#users.get(layer) ?? []) {
			if (lacks(proxy, carried)) this.#count(carried, 1);
		}
	}

	#drop(layer: ResourceLayer, resource: Resource): void {
		const { version } = resource;
		const carried = this.#current.get(version);
		if (!carried?.layers.delete(layer)) return;
		this.#touch(resource);
		if (carried.layers.size > 0) {
			for (const proxy of this.#users.get(layer) ?? []) {
				if (lacks(proxy, carried)) this.#count(carried, -1);
			}
			return;
		}
		this.#current.delete(version);
		for (const ref of resource.origins) {
			const key = keyOf(ref);
			const versions = this.#versions.get(key);
			versions?.delete(version);
			if (versions?.size === 0) this.#versions.delete(key);
		}
	}

	#enter(proxy: CountedProxy, layer: ResourceLayer): void {
		this.#unions.clear();
		const users = this.#users.get(layer);
		if (users === undefined) this.#users.set(layer, new Set([proxy]));
		else users.add(proxy);
		this.#countLacked(proxy, layer, 1);
	}

	#leave(proxy: CountedProxy, layer: ResourceLayer): void {
		this.#unions.clear();
		this.#users.get(layer)?.delete(proxy);
		this.#countLacked(proxy, layer, -1);
	}

	#countLacked(proxy: CountedProxy, layer: ResourceLayer, by: 1 | -1): void {
		for (const type of sendOrder) {
			const all = layer.snapshot(type);
			// Nearly everything is there when a proxy begins to count, so only what is not is looked at.
			for (const { version } of proxy.view.lacked(type, all)) {
				const carried = this.#current.get(version);
				// A layer may hold what it does not let its proxies have.
				if (carried?.layers.has(layer)) this.#count(carried, by);
			}
		}
	}

	#countIfWanted(proxy: CountedProxy, version: string, by: 1 | -1): void {
		const carried = this.#current.get(version);
		if (carried === undefined) return;
		if (intersects(carried.layers, proxy.layers)) this.#count(carried, by);
	}

	/** Objects are touched when the first proxy lacks it, or the last no longer does. */
	#count(carried: Carried, by: 1 | -1): void {
		carried.lacking += by;
		const before = carried.lacking - by;
		if (carried.lacking === 0 || before === 0) this.#touch(carried.resource);
	}

	#touch(resource: Resource): void {
		for (const ref of resource.origins) this.#touched.set(keyOf(ref), ref);
	}
}

function keyOf(ref: ObjectRef): string {
	return `${ref.kind} ${objectKey(ref)}`;
}

function isOf(edition: string, { layers }: Carried): boolean {
	for (const layer of layers) if (layer.edition === edition) return true;
	return false;
}

function lacks(proxy: CountedProxy, { type, resource }: Carried): boolean {
	return proxy.view.version(type, resource.name) !== resource.version;
}

function intersects<T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean {
	for (const one of a) if (b.has(one)) return true;
	return false;
}
