import type { MeshEdition } from "../../mesh/editions.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import type { Proxy } from "../proxy.ts";
import type { AttachedProxy, ProxyDirectory } from "../proxy-directory.ts";
import type { ResourceType } from "../resource-type.ts";
import { Attached, type CatalogUpdate, type Homes } from "./attached.ts";
import { Distribution } from "./distribution.ts";
import {
	type EditionObserver,
	EditionResources,
	type EditionUpdate,
} from "./edition-resources.ts";
import { GenerationCount } from "./generation-count.ts";
import { layerDifferences } from "./proxy-layers.ts";
import type { ChangeCollector, ResourceLayer } from "./resource-layer.ts";

/** The edition for proxies of which no software refuses anything. */
const everybody = "";

/**
 * The resources of all connected proxies, kept in three layers so that each is
 * made once for everybody it is the same for:
 *
 *   shared   clusters, endpoints           all proxies of one attachment
 *   scoped   virtual hosts, routes, …      proxies to which the same rules apply
 *   own      inbound listeners, …          one proxy
 *
 * Proxies of software that refuses something have layers of another edition of
 * the mesh. These begin as copies and go on sharing what is equal.
 *
 * What it holds is a function of the mesh, its editions and of each proxy; it
 * only remembers what did not change.
 */
export class Catalog implements ProxyDirectory {
	/** How far each object has come among the proxies. */
	readonly distribution = new Distribution();
	#full: EditionResources | undefined;
	/** By id. */
	readonly #editions = new Map<string, EditionResources>();
	#bySoftware: ReadonlyMap<string, EditionResources> = new Map();
	/** By workload. */
	#byProxy: ReadonlyMap<string, EditionResources> = new Map();
	readonly #attached = new Set<Attached>();
	readonly #generated = new GenerationCount();
	readonly #observer: EditionObserver = {
		generated: (type, resources) => this.#generated.note(type, resources),
		replaced: (layer, type, before, after) =>
			this.distribution.replaced(layer, type, before, after),
		gone: (layer) => this.distribution.layerGone(layer),
	};

	/** How many resources were generated since the start, by type; one that several scopes share counts once. */
	get generated(): ReadonlyMap<ResourceType, number> {
		return this.#generated.counts;
	}

	/** The number of different scopes in use. */
	get scopes(): number {
		let scopes = this.#full?.scopes ?? 0;
		for (const edition of this.#editions.values()) scopes += edition.scopes;
		return scopes;
	}

	/** The number of editions besides the one for everybody. */
	get editions(): number {
		return this.#editions.size;
	}

	/** The id of the edition that a proxy of this software and workload gets. */
	editionOf(software: string, workload: string): string {
		const own = this.#byProxy.get(workload) ?? this.#bySoftware.get(software);
		return own?.id ?? everybody;
	}

	/** Takes a newer mesh and its editions: generates what differs and tells the proxies that have it. */
	update(mesh: Mesh, editions: readonly MeshEdition[] = []): void {
		const updates = new Map<EditionResources, EditionUpdate>();
		const full =
			this.#full ?? new EditionResources(everybody, mesh, this.#observer);
		this.#full = full;
		updates.set(full, full.update(mesh));
		const unused = new Map(this.#editions);
		const bySoftware = new Map<string, EditionResources>();
		const byProxy = new Map<string, EditionResources>();
		for (const edition of editions) {
			let resources = this.#editions.get(edition.id);
			if (resources === undefined) {
				const { id } = edition;
				resources = new EditionResources(
					id,
					edition.mesh,
					this.#observer,
					full,
				);
				this.#editions.set(id, resources);
			} else updates.set(resources, resources.update(edition.mesh));
			unused.delete(edition.id);
			for (const one of edition.software) bySoftware.set(one, resources);
			for (const one of edition.proxies) byProxy.set(one, resources);
		}
		this.#bySoftware = bySoftware;
		this.#byProxy = byProxy;
		this.distribution.withhold(
			new Map(editions.map(({ id, withheld }) => [id, withheld])),
		);
		const update: CatalogUpdate = {
			of: (home) => updates.get(home),
			differences: differencesOnce(),
		};
		for (const attached of this.#attached)
			attached.update(update, this.#homesOf(attached.proxy, full));
		for (const [id, resources] of unused) {
			this.#editions.delete(id);
			resources.dispose();
		}
		this.distribution.flush();
	}

	/**
	 * @throws Error before the first `update`: a proxy that was told of an empty
	 *   mesh would drop what it has.
	 */
	attach(proxy: Proxy, variant: "delta" | "sotw"): AttachedProxy {
		if (this.#full === undefined) throw new Error("no mesh yet");
		const attached = new Attached(
			proxy,
			variant,
			this.#homesOf(proxy, this.#full),
			{ distribution: this.distribution, observer: this.#observer },
		);
		this.#attached.add(attached);
		return {
			resources: attached,
			count: (view) => attached.count(view),
			held: (gained, lost) => attached.held(gained, lost),
			rejected: (resources) => {
				for (const resource of resources) this.distribution.rejected(resource);
				this.distribution.flush();
			},
			release: () => {
				if (!this.#attached.delete(attached)) return;
				attached.leave();
				this.distribution.flush();
			},
		};
	}

	/** gRPC clients refuse nothing, they leave out what they do not understand. */
	#homesOf(
		{ kind, software = "", workload }: Proxy,
		full: EditionResources,
	): Homes {
		if (kind === "grpc") return { actual: full, full };
		const own = this.#byProxy.get(workload) ?? this.#bySoftware.get(software);
		return { actual: own ?? full, full };
	}
}

/** `layerDifferences`, which thousands of proxies ask about the same two layers. */
function differencesOnce(): CatalogUpdate["differences"] {
	const known = new Map<ResourceLayer, Map<ResourceLayer, ChangeCollector>>();
	return (before, after) => {
		let from = known.get(before);
		if (from === undefined) {
			from = new Map();
			known.set(before, from);
		}
		let changes = from.get(after);
		if (changes === undefined) {
			changes = layerDifferences(before, after);
			from.set(after, changes);
		}
		return changes;
	};
}
