import type { Proxy } from "../proxy.ts";
import type {
	ChangedNames,
	ProxyResources,
	SharedSet,
	SplitResources,
} from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import type { ResourceType } from "../resource-type.ts";
import type { CountedProxy, Distribution, HeldView } from "./distribution.ts";
import type {
	EditionObserver,
	EditionResources,
	EditionUpdate,
} from "./edition-resources.ts";
import { GrpcResources } from "./grpc-resources.ts";
import { mergeNames } from "./merge-names.ts";
import { ProxyLayers } from "./proxy-layers.ts";
import type { ChangeCollector, ResourceLayer } from "./resource-layer.ts";

/** Where a proxy finds what it shares with others. */
export interface Homes {
	/** The edition of its software. */
	readonly actual: EditionResources;
	/** The edition from which nothing is withheld. */
	readonly full: EditionResources;
}

/** What one update has done to the editions. */
export interface CatalogUpdate {
	/** Of an edition that was there before and still is. */
	of(home: EditionResources): EditionUpdate | undefined;
	/** What differs between two layers; looked up once for all proxies. */
	differences(before: ResourceLayer, after: ResourceLayer): ChangeCollector;
}

interface Counted extends CountedProxy {
	edition: string;
	layers: Set<ResourceLayer>;
	full: Set<ResourceLayer> | undefined;
}

/** The resources of one connected proxy. */
export class Attached implements ProxyResources {
	readonly #proxy: Proxy;
	readonly #variant: "delta" | "sotw";
	readonly #distribution: Distribution;
	readonly #observer: EditionObserver;
	readonly #grpc: GrpcResources | undefined;
	readonly #listeners = new Set<(changed: ChangedNames) => void>();
	#layers: ProxyLayers;
	/** What the proxy would have if nothing were withheld from it; undefined when nothing is. */
	#full: ProxyLayers | undefined;
	#counted: Counted | undefined;

	constructor(
		proxy: Proxy,
		variant: "delta" | "sotw",
		homes: Homes,
		to: {
			readonly distribution: Distribution;
			readonly observer: EditionObserver;
		},
	) {
		this.#proxy = proxy;
		this.#variant = variant;
		this.#distribution = to.distribution;
		this.#observer = to.observer;
		// Kept in use first, so that the layers of the other edition find their twins.
		this.#full = this.#fullOf(homes);
		this.#layers = this.#in(homes.actual);
		this.#grpc =
			proxy.kind === "grpc"
				? new GrpcResources(
						homes.actual.mesh,
						proxy.workload.split("/", 1)[0] ?? "",
						this.#layers.rulesOf,
					)
				: undefined;
	}

	/** The proxy itself. */
	get proxy(): Proxy {
		return this.#proxy;
	}

	get(type: ResourceType, name: string): Resource | undefined {
		if (this.#grpc && type === "listener") return this.#grpc.listener(name);
		return this.#layers.get(type, name);
	}

	*names(type: ResourceType): Iterable<string> {
		for (const layer of this.#layers.all()) yield* layer.all(type).keys();
	}

	split(type: ResourceType): SplitResources {
		// What these clients get is made when they ask for it.
		return this.#grpc
			? { shared: nothing, others: [...this.names(type)] }
			: this.#layers.split(type);
	}

	subscribe(listener: (changed: ChangedNames) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** From now on the proxy counts. gRPC clients do not: they have only what they asked for. */
	count(view: HeldView): void {
		if (this.#counted !== undefined || this.#proxy.kind === "grpc") return;
		this.#counted = {
			name: this.#proxy.workload,
			view,
			edition: this.#layers.home.id,
			layers: new Set(this.#layers.wanted()),
			full: this.#full && new Set(this.#full.wanted()),
		};
		this.#distribution.joined(this.#counted);
		this.#distribution.flush();
	}

	/** Notes what the proxy has and no longer has. */
	held(gained: readonly string[], lost: readonly string[]): void {
		if (this.#counted === undefined) return;
		this.#distribution.held(this.#counted, gained, lost);
		this.#distribution.flush();
	}

	/** The stream is gone. */
	leave(): void {
		if (this.#counted !== undefined) this.#distribution.left(this.#counted);
		this.#counted = undefined;
		this.#layers.release();
		this.#full?.release();
	}

	/** Follows the edition of its software and tells whoever subscribed what changed. */
	update(update: CatalogUpdate, homes: Homes): void {
		const names = this.#follow(update, homes);
		const all = this.#grpc
			? mergeNames({ names }, this.#grpc.update(homes.actual.mesh))
			: names;
		if (all.size === 0) return;
		for (const listener of [...this.#listeners]) listener(all);
	}

	#follow(update: CatalogUpdate, homes: Homes): ChangedNames {
		const before = this.#layers;
		// First, so that new layers of the other edition find their twins.
		const fullUpdate = this.#full && update.of(this.#full.home);
		if (fullUpdate) this.#full?.update(fullUpdate, () => undefined);
		const own = update.of(before.home);
		const names = own?.changed
			? before.update(own, (from, to) => this.#moved(from, to))
			: noNames;
		if (before.home === homes.actual) {
			this.#countFull();
			return names;
		}
		const fullBefore = this.#full;
		this.#full = this.#fullOf(homes);
		const after = this.#in(homes.actual);
		this.#layers = after;
		if (this.#counted) this.#counted.edition = after.home.id;
		let all = names;
		const to = after.all();
		for (const [index, from] of before.all().entries()) {
			const layer = to[index];
			if (layer === undefined) continue;
			all = mergeNames({ names: all }, update.differences(from, layer));
			this.#moved(from, layer);
		}
		this.#countFull();
		before.release();
		fullBefore?.release();
		return all;
	}

	#in(home: EditionResources): ProxyLayers {
		return new ProxyLayers(this.#proxy, this.#variant, home, this.#observer);
	}

	#fullOf({ actual, full }: Homes): ProxyLayers | undefined {
		return actual === full ? undefined : this.#in(full);
	}

	#countFull(): void {
		if (this.#counted === undefined) return;
		this.#counted.full = this.#full && new Set(this.#full.wanted());
	}

	#moved(from: ResourceLayer, to: ResourceLayer): void {
		if (!this.#counted?.layers.delete(from)) return;
		this.#counted.layers.add(to);
		this.#distribution.moved(this.#counted, from, to);
	}
}

const noNames: ChangedNames = new Map();
const nothing: SharedSet = new Map();
