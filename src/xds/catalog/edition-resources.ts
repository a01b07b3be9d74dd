import type { Mesh } from "../../mesh/mesh.ts";
import type { Attachment } from "../generate/service-view.ts";
import type { Proxy } from "../proxy.ts";
import type { ChangedNames } from "../proxy-resources.ts";
import { scopeKey } from "../proxy-scope.ts";
import { mergeNames } from "./merge-names.ts";
import { type MeshChanges, meshChanges } from "./mesh-changes.ts";
import type {
	ChangeCollector,
	LayerObserver,
	ResourceLayer,
} from "./resource-layer.ts";
import { scopeOf } from "./scope-of.ts";
import { ScopedResources } from "./scoped-resources.ts";
import { SharedResources } from "./shared-resources.ts";

/** Resources of one scope, while some proxy has it. */
export interface UsedScope {
	readonly key: string;
	readonly resources: ScopedResources;
	users: number;
}

/** What an update has changed, for whoever has resources of the edition. */
export interface EditionUpdate {
	readonly changed: MeshChanges;
	/** What changed in the layers that proxies share. */
	names(attachment: Attachment, scope: UsedScope): ChangedNames;
}

/** Who is told what happens in an edition's layers. */
export interface EditionObserver extends LayerObserver {
	/** Nobody uses this layer any more. */
	gone(layer: ResourceLayer): void;
}

/** The resources that proxies share, of one edition of the mesh. */
export class EditionResources {
	/** Of the edition; empty for the one that is for everybody else. */
	readonly id: string;
	readonly #observer: EditionObserver;
	readonly #twin: EditionResources | undefined;
	readonly #shared = new Map<Attachment, SharedResources>();
	readonly #scopes = new Map<string, UsedScope>();
	#mesh: Mesh;

	/** @param from nearly the same mesh, whose resources are shared where they are equal */
	constructor(
		id: string,
		mesh: Mesh,
		observer: EditionObserver,
		from?: EditionResources,
	) {
		this.id = id;
		this.#mesh = mesh;
		this.#observer = observer;
		this.#twin = from;
	}

	/** What the resources were made from. */
	get mesh(): Mesh {
		return this.#mesh;
	}

	/** The number of different scopes in use. */
	get scopes(): number {
		return this.#scopes.size;
	}

	/** Takes a newer mesh and generates what differs. */
	update(mesh: Mesh): EditionUpdate {
		const changed = meshChanges(this.#mesh, mesh);
		this.#mesh = mesh;
		const shared = new Map<Attachment, ChangeCollector>();
		for (const [attachment, resources] of this.#shared)
			shared.set(attachment, resources.update(mesh, changed));
		const scoped = new Map<UsedScope, ChangeCollector>();
		for (const scope of this.#scopes.values())
			scoped.set(scope, scope.resources.update(mesh, changed));
		const merged = new Map<UsedScope, ChangedNames>();
		return {
			changed,
			// A scope belongs to one attachment.
			names: (attachment, scope) => {
				let names = merged.get(scope);
				if (names === undefined) {
					names = mergeNames(shared.get(attachment), scoped.get(scope));
					merged.set(scope, names);
				}
				return names;
			},
		};
	}

	/** Clusters and endpoints of all proxies of an attachment. */
	shared(attachment: Attachment): SharedResources {
		let shared = this.#shared.get(attachment);
		if (shared === undefined) {
			const twin = this.#twin?.shared(attachment);
			shared = new SharedResources(attachment, this.#place(twin?.layer));
			shared.update(this.#mesh, this.#changesSince(twin));
			this.#shared.set(attachment, shared);
		}
		return shared;
	}

	/** The scope of a proxy, which is to be released when the proxy no longer has it. */
	acquire(proxy: Proxy, variant: "delta" | "sotw"): UsedScope {
		const scope = scopeOf(this.#mesh, proxy);
		const key = `${variant} ${scopeKey(scope)}`;
		let used = this.#scopes.get(key);
		if (used === undefined) {
			const twin = this.#twin?.used(key);
			const place = this.#place(twin?.layer);
			const resources = new ScopedResources(scope, variant, place);
			resources.update(this.#mesh, this.#changesSince(twin));
			used = { key, resources, users: 0 };
			this.#scopes.set(key, used);
		}
		used.users++;
		return used;
	}

	/** What some proxy has under this key of a scope. */
	used(key: string): ScopedResources | undefined {
		return this.#scopes.get(key)?.resources;
	}

	/** One proxy less has the scope. */
	release(scope: UsedScope): void {
		scope.users--;
		if (scope.users > 0) return;
		this.#scopes.delete(scope.key);
		this.#observer.gone(scope.resources.layer);
	}

	/** No proxy has anything of it any more. */
	dispose(): void {
		for (const { layer } of this.#shared.values()) this.#observer.gone(layer);
		this.#shared.clear();
	}

	#place(twin: ResourceLayer | undefined) {
		return { edition: this.id, observer: this.#observer, twin };
	}

	/** What a new layer lacks, when it begins with what its twin holds. */
	#changesSince(twin: object | undefined): MeshChanges {
		return meshChanges(twin && this.#twin?.mesh, this.#mesh);
	}
}
