import type { Service, ServicePort } from "../../mesh/service.ts";
import type { Attachment } from "../generate/service-view.ts";
import type { Proxy } from "../proxy.ts";
import type {
	ChangedNames,
	SharedSet,
	SplitResources,
} from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import type {
	EditionObserver,
	EditionResources,
	EditionUpdate,
	UsedScope,
} from "./edition-resources.ts";
import { mergeNames } from "./merge-names.ts";
import { OwnResources } from "./own-resources.ts";
import { ChangeCollector, type ResourceLayer } from "./resource-layer.ts";

/** Fewer are looked at one by one. */
const fewResources = 64;

const nothing: SharedSet = new Map();

/** A proxy has another layer in the place of one. */
export type LayerMoved = (from: ResourceLayer, to: ResourceLayer) => void;

/** The three layers of one proxy, in one edition of the mesh. */
export class ProxyLayers {
	readonly home: EditionResources;
	readonly #proxy: Proxy;
	readonly #variant: "delta" | "sotw";
	readonly #observer: EditionObserver;
	readonly #shared: ResourceLayer;
	readonly #own: OwnResources;
	#scope: UsedScope;

	constructor(
		proxy: Proxy,
		variant: "delta" | "sotw",
		home: EditionResources,
		observer: EditionObserver,
	) {
		this.home = home;
		this.#proxy = proxy;
		this.#variant = variant;
		this.#observer = observer;
		this.#shared = home.shared(attachmentOf(proxy)).layer;
		this.#scope = home.acquire(proxy, variant);
		this.#own = new OwnResources(proxy, { edition: home.id, observer });
		this.#own.update(home.mesh, this.rulesOf);
	}

	/** The rules of a port as they apply to the proxy. */
	readonly rulesOf = (service: Service, port: ServicePort) =>
		this.#scope.resources.rulesOf(this.home.mesh, service, port);

	/** The resource, or undefined. Asked for each resource of each proxy, so nothing is made here. */
	get(type: ResourceType, name: string): Resource | undefined {
		return (
			this.#own.layer.get(type, name) ??
			this.#scope.resources.layer.get(type, name) ??
			this.#shared.get(type, name)
		);
	}

	/** Every name of this type, with those of one of the layers that proxies share apart. */
	split(type: ResourceType): SplitResources {
		const layers = this.all();
		const sizeOf = (layer: ResourceLayer): number => layer.all(type).size;
		const [own, scoped, shared] = layers;
		const most = sizeOf(scoped) > sizeOf(shared) ? scoped : shared;
		const rest = layers.filter((layer) => layer !== most);
		const others = rest
			.flatMap((layer) => [...layer.all(type).keys()])
			.filter((name) => most.get(type, name) === undefined);
		const first = most === scoped ? [own] : [own, scoped];
		const isHidden = first.some((layer) => overlap(layer, most, type));
		return sizeOf(most) < fewResources || isHidden
			? { shared: nothing, others: [...most.all(type).keys(), ...others] }
			: { shared: most.snapshot(type), others };
	}

	/** What is the proxy's own, what it has with others of its scope, and what all have. */
	all(): readonly [ResourceLayer, ResourceLayer, ResourceLayer] {
		return [this.#own.layer, this.#scope.resources.layer, this.#shared];
	}

	/** The layers all of which the proxy asks for: one without a forward proxy has no use for routes. */
	wanted(): readonly ResourceLayer[] {
		const { kind, attachment, addresses } = this.#proxy;
		const routes =
			kind === "gateway" ||
			attachment === "captured" ||
			addresses.outbound !== undefined;
		const [own, scoped, shared] = this.all();
		return routes ? [own, scoped, shared] : [own, shared];
	}

	/** Follows its edition; answers what changed for the proxy. */
	update(update: EditionUpdate, moved: LayerMoved): ChangedNames {
		const { changed } = update;
		let all = update.names(attachmentOf(this.#proxy), this.#scope);
		if (changed.callerFacts || changed.workloads)
			all = mergeNames({ names: all }, this.#moveScope(moved));
		if (
			changed.workloads ||
			changed.options ||
			changed.callerFacts ||
			(this.#ownDependsOnServices() &&
				(changed.services.size > 0 || changed.routes.size > 0))
		) {
			const own = this.#own.update(this.home.mesh, this.rulesOf);
			all = mergeNames({ names: all }, own);
		}
		return all;
	}

	/** Listeners of single services; and the one that looks at what goes to ports that no service has. */
	#ownDependsOnServices(): boolean {
		return (
			this.#proxy.addresses.tcp.length > 0 ||
			(attachmentOf(this.#proxy) === "captured" &&
				this.home.mesh.options.outboundTraffic === "RegistryOnly")
		);
	}

	/** The proxy has nothing of it any more. */
	release(): void {
		this.#observer.gone(this.#own.layer);
		this.home.release(this.#scope);
	}

	/** Another scope may apply to the proxy now; what differs between the two is a change for it. */
	#moveScope(moved: LayerMoved): ChangeCollector {
		const before = this.#scope;
		const after = this.home.acquire(this.#proxy, this.#variant);
		if (after === before) {
			this.home.release(after);
			return new ChangeCollector();
		}
		this.#scope = after;
		const from = before.resources.layer;
		const to = after.resources.layer;
		const changes = layerDifferences(from, to);
		moved(from, to);
		this.home.release(before);
		return changes;
	}
}

/** Whether a small layer has a name of another. */
function overlap(
	small: ResourceLayer,
	other: ResourceLayer,
	type: ResourceType,
): boolean {
	for (const name of small.all(type).keys()) {
		if (other.get(type, name) !== undefined) return true;
	}
	return false;
}

/** What differs for a proxy that has one layer after the other. */
export function layerDifferences(
	before: ResourceLayer,
	after: ResourceLayer,
): ChangeCollector {
	const changes = new ChangeCollector();
	for (const type of sendOrder) {
		for (const [name, resource] of after.all(type)) {
			const old = before.get(type, name);
			if (old === resource || old?.version === resource.version) continue;
			changes.add(type, name);
		}
		for (const name of before.all(type).keys()) {
			if (after.get(type, name) === undefined) changes.add(type, name);
		}
	}
	return changes;
}

function attachmentOf(proxy: Proxy): Attachment {
	return proxy.kind === "sidecar" ? proxy.attachment : "explicit";
}
