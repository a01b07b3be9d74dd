import type { Mesh } from "../../mesh/mesh.ts";
import type { Service, ServicePort } from "../../mesh/service.ts";
import type { Attachment } from "../generate/service-view.ts";
import type { Proxy } from "../proxy.ts";
import type { AttachedProxy, ProxyDirectory } from "../proxy-directory.ts";
import type { ChangedNames, ProxyResources } from "../proxy-resources.ts";
import { scopeKey } from "../proxy-scope.ts";
import type { Resource } from "../resource.ts";
import type { ResourceType } from "../resource-type.ts";
import {
	type CountedProxy,
	Distribution,
	type HeldView,
} from "./distribution.ts";
import { GenerationCount } from "./generation-count.ts";
import { GrpcResources } from "./grpc-resources.ts";
import { type MeshChanges, meshChanges } from "./mesh-changes.ts";
import { OwnResources } from "./own-resources.ts";
import {
	ChangeCollector,
	type LayerObserver,
	type ResourceLayer,
} from "./resource-layer.ts";
import { scopeOf } from "./scope-of.ts";
import { ScopedResources } from "./scoped-resources.ts";
import { SharedResources } from "./shared-resources.ts";

/** Resources of one scope, while some proxy has it. */
interface UsedScope {
	readonly key: string;
	readonly resources: ScopedResources;
	users: number;
}

/**
 * The resources of all connected proxies, kept in three layers so that each is
 * made once for everybody it is the same for:
 *
 *   shared   clusters, endpoints           all proxies of one attachment
 *   scoped   virtual hosts, routes, …      proxies to which the same rules apply
 *   own      inbound listeners, …          one proxy
 *
 * What it holds is a function of the mesh and of each proxy; it only remembers
 * what did not change.
 */
export class Catalog implements ProxyDirectory {
	/** How far each object has come among the proxies. */
	readonly distribution = new Distribution();
	#mesh: Mesh | undefined;
	readonly #shared = new Map<Attachment, SharedResources>();
	readonly #scopes = new Map<string, UsedScope>();
	readonly #attached = new Set<Attached>();
	readonly #generated = new GenerationCount();
	readonly #observer: LayerObserver = {
		generated: (type, resources) => this.#generated.note(type, resources),
		replaced: (layer, type, before, after) =>
			this.distribution.replaced(layer, type, before, after),
	};

	/** How many resources were generated since the start, by type; one that several scopes share counts once. */
	get generated(): ReadonlyMap<ResourceType, number> {
		return this.#generated.counts;
	}

	/** The number of different scopes in use. */
	get scopes(): number {
		return this.#scopes.size;
	}

	/** Takes a newer mesh: generates what differs and tells the proxies that have it. */
	update(mesh: Mesh): void {
		const changed = meshChanges(this.#mesh, mesh);
		this.#mesh = mesh;
		const shared = new Map<Attachment, ChangeCollector>();
		for (const [attachment, resources] of this.#shared) {
			shared.set(attachment, resources.update(mesh, changed));
		}
		const scoped = new Map<UsedScope, ChangeCollector>();
		for (const scope of this.#scopes.values()) {
			scoped.set(scope, scope.resources.update(mesh, changed));
		}
		const merged = new Map<UsedScope, ChangedNames>();
		for (const attached of this.#attached) {
			const scope = attached.scope;
			let names = merged.get(scope);
			if (names === undefined) {
				names = merge(shared.get(attached.attachment), scoped.get(scope));
				merged.set(scope, names);
			}
			attached.update(mesh, changed, names);
		}
		this.distribution.flush();
	}

	/**
	 * @throws Error before the first `update`: a proxy that was told of an empty
	 *   mesh would drop what it has.
	 */
	attach(proxy: Proxy, variant: "delta" | "sotw"): AttachedProxy {
		const mesh = this.#mesh;
		if (mesh === undefined) throw new Error("no mesh yet");
		const attached: Attached = new Attached(proxy, mesh, {
			shared: this.#sharedOf(attachmentOf(proxy), mesh),
			distribution: this.distribution,
			observer: this.#observer,
			acquire: (nextMesh) => this.#acquire(proxy, variant, nextMesh),
			release: (scope) => this.#release(scope),
		});
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
				this.#release(attached.scope);
				this.distribution.flush();
			},
		};
	}

	#sharedOf(attachment: Attachment, mesh: Mesh): SharedResources {
		let shared = this.#shared.get(attachment);
		if (shared === undefined) {
			shared = new SharedResources(attachment, this.#observer);
			shared.update(mesh, meshChanges(undefined, mesh));
			this.#shared.set(attachment, shared);
		}
		return shared;
	}

	#acquire(proxy: Proxy, variant: "delta" | "sotw", mesh: Mesh): UsedScope {
		const scope = scopeOf(mesh, proxy);
		const key = `${variant} ${scopeKey(scope)}`;
		let used = this.#scopes.get(key);
		if (used === undefined) {
			const resources = new ScopedResources(scope, variant, this.#observer);
			resources.update(mesh, meshChanges(undefined, mesh));
			used = { key, resources, users: 0 };
			this.#scopes.set(key, used);
		}
		used.users++;
		return used;
	}

	#release(scope: UsedScope): void {
		scope.users--;
		if (scope.users > 0) return;
		this.#scopes.delete(scope.key);
		this.distribution.layerGone(scope.resources.layer);
	}
}

interface ScopeAccess {
	readonly shared: SharedResources;
	readonly distribution: Distribution;
	readonly observer: LayerObserver;
	acquire(mesh: Mesh): UsedScope;
	release(scope: UsedScope): void;
}

class Attached implements ProxyResources {
	readonly attachment: Attachment;
	scope: UsedScope;
	readonly #proxy: Proxy;
	readonly #access: ScopeAccess;
	readonly #own: OwnResources;
	readonly #grpc: GrpcResources | undefined;
	readonly #listeners = new Set<(changed: ChangedNames) => void>();
	#counted: (CountedProxy & { layers: Set<ResourceLayer> }) | undefined;
	#mesh: Mesh;

	constructor(proxy: Proxy, mesh: Mesh, access: ScopeAccess) {
		this.#proxy = proxy;
		this.#mesh = mesh;
		this.#access = access;
		this.attachment = attachmentOf(proxy);
		this.scope = access.acquire(mesh);
		this.#own = new OwnResources(proxy, access.observer);
		this.#own.update(mesh, this.#rulesOf);
		this.#grpc =
			proxy.kind === "grpc"
				? new GrpcResources(
						mesh,
						proxy.workload.split("/", 1)[0] ?? "",
						this.#rulesOf,
					)
				: undefined;
	}

	readonly #rulesOf = (service: Service, port: ServicePort) =>
		this.scope.resources.rulesOf(this.#mesh, service, port);

	get(type: ResourceType, name: string): Resource | undefined {
		if (this.#grpc && type === "listener") return this.#grpc.listener(name);
		// Asked for each resource of each proxy, so nothing is made here.
		return (
			this.#own.layer.get(type, name) ??
			this.scope.resources.layer.get(type, name) ??
			this.#access.shared.layer.get(type, name)
		);
	}

	*names(type: ResourceType): Iterable<string> {
		for (const layer of this.#layers()) yield* layer.all(type).keys();
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
			layers: new Set(this.#wantedLayers()),
		};
		this.#access.distribution.joined(this.#counted);
		this.#access.distribution.flush();
	}

	/** Notes what the proxy has and no longer has. */
	held(gained: readonly string[], lost: readonly string[]): void {
		if (this.#counted === undefined) return;
		this.#access.distribution.held(this.#counted, gained, lost);
		this.#access.distribution.flush();
	}

	/** The stream is gone. */
	leave(): void {
		const { distribution } = this.#access;
		if (this.#counted !== undefined) distribution.left(this.#counted);
		this.#counted = undefined;
		distribution.layerGone(this.#own.layer);
	}

	/** Takes a newer mesh and tells whoever subscribed; `names` is what changed in the layers that are shared. */
	update(mesh: Mesh, changed: MeshChanges, names: ChangedNames): void {
		this.#mesh = mesh;
		let all = names;
		if (changed.callerFacts || changed.workloads) {
			all = merge({ names: all }, this.#moveScope(mesh));
		}
		if (
			changed.workloads ||
			changed.callerFacts ||
			(this.#proxy.addresses.tcp.length > 0 &&
				(changed.services.size > 0 || changed.routes.size > 0))
		) {
			all = merge({ names: all }, this.#own.update(mesh, this.#rulesOf));
		}
		if (this.#grpc) all = merge({ names: all }, this.#grpc.update(mesh));
		if (all.size === 0) return;
		for (const listener of [...this.#listeners]) listener(all);
	}

	/** Another scope may apply to the proxy now; what differs between the two is a change for it. */
	#moveScope(mesh: Mesh): ChangeCollector {
		const changes = new ChangeCollector();
		const before = this.scope;
		const after = this.#access.acquire(mesh);
		if (after === before) {
			this.#access.release(after);
			return changes;
		}
		this.scope = after;
		for (const type of ["listener", "route", "virtualHost"] as const) {
			collectDifferences(
				type,
				before.resources.layer,
				after.resources.layer,
				changes,
			);
		}
		if (this.#counted?.layers.delete(before.resources.layer)) {
			this.#counted.layers.add(after.resources.layer);
			this.#access.distribution.moved(
				this.#counted,
				before.resources.layer,
				after.resources.layer,
			);
		}
		this.#access.release(before);
		return changes;
	}

	/** The layers all of which the proxy asks for: one without a forward proxy has no use for routes. */
	#wantedLayers(): readonly ResourceLayer[] {
		const { kind, attachment, addresses } = this.#proxy;
		const routes =
			kind === "gateway" ||
			attachment === "captured" ||
			addresses.outbound !== undefined;
		const [own, scoped, shared] = this.#layers();
		return routes ? [own, scoped, shared] : [own, shared];
	}

	#layers(): readonly [ResourceLayer, ResourceLayer, ResourceLayer] {
		return [
			this.#own.layer,
			this.scope.resources.layer,
			this.#access.shared.layer,
		];
	}
}

function attachmentOf(proxy: Proxy): Attachment {
	return proxy.kind === "sidecar" ? proxy.attachment : "explicit";
}

function collectDifferences(
	type: ResourceType,
	before: ResourceLayer,
	after: ResourceLayer,
	changes: ChangeCollector,
): void {
	for (const [name, resource] of after.all(type)) {
		if (before.get(type, name)?.version !== resource.version) {
			changes.add(type, name);
		}
	}
	for (const name of before.all(type).keys()) {
		if (after.get(type, name) === undefined) changes.add(type, name);
	}
}

function merge(
	...collected: readonly ({ readonly names: ChangedNames } | undefined)[]
): ChangedNames {
	const some = collected.filter((one) => one && one.names.size > 0);
	if (some.length === 1 && some[0]) return some[0].names;
	const all = new ChangeCollector();
	for (const one of some) {
		for (const [type, names] of one?.names ?? []) {
			for (const name of names) all.add(type, name);
		}
	}
	return all.names;
}
