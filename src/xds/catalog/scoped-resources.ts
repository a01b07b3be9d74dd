import { compareText } from "../../api/object-ref.ts";
import { RouteConfigurationSchema } from "../../gen/envoy/envoy/config/route/v3/route_pb.js";
import { type CallerRule, rulesFor } from "../../mesh/caller.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import { routeTableKey } from "../../mesh/mesh.ts";
import {
	carriesHttp,
	type Service,
	type ServicePort,
} from "../../mesh/service.ts";
import { appendMessages } from "../generate/append-messages.ts";
import {
	capturedOutboundListeners,
	httpPortsOf,
} from "../generate/captured-listener.ts";
import { encode } from "../generate/encode.ts";
import { gatewayRoutes } from "../generate/gateway.ts";
import { resourceOfBytes } from "../generate/make-resource.ts";
import { forwardProxyRouteName, portRouteName } from "../generate/names.ts";
import {
	outboundRoutes,
	outboundRoutesResource,
} from "../generate/route-configuration.ts";
import {
	type CalledPort,
	virtualHostResource,
} from "../generate/virtual-host.ts";
import type { ProxyScope } from "../proxy-scope.ts";
import type { Resource } from "../resource.ts";
import type { MeshChanges } from "./mesh-changes.ts";
import {
	ChangeCollector,
	type LayerPlace,
	ResourceLayer,
} from "./resource-layer.ts";

/** Field number of `RouteConfiguration.virtual_hosts`. */
const virtualHostsField = 2;

/** Routes and outbound listeners: the same for every proxy of one scope. */
export class ScopedResources {
	readonly layer: ResourceLayer;
	readonly #scope: ProxyScope;
	readonly #variant: "delta" | "sotw";

	constructor(scope: ProxyScope, variant: "delta" | "sotw", place: LayerPlace) {
		const { observer } = place;
		this.layer = new ResourceLayer({
			...place,
			observer: {
				generated: (type, resources) => observer.generated(type, resources),
				replaced: (layer, type, before, after) => {
					// These proxies get virtual hosts inside of their route configurations only.
					if (variant === "sotw" && type === "virtualHost") return;
					observer.replaced(layer, type, before, after);
				},
			},
		});
		this.#scope = scope;
		this.#variant = variant;
	}

	/** Generates what the changes touch, and nothing else. */
	update(mesh: Mesh, changed: MeshChanges): ChangeCollector {
		const changes = new ChangeCollector();
		if (this.#scope.kind === "gateway") {
			if (changed.gateways || changed.services.size > 0) {
				const routes = gatewayRoutes(mesh, this.#scope);
				this.layer.replace("route", "", [routes], changes);
			}
			return changes;
		}
		for (const key of virtualHostsToMake(mesh, changed)) {
			this.layer.replace(
				"virtualHost",
				key,
				this.#virtualHost(mesh, key),
				changes,
			);
		}
		this.#updateRoutes(mesh, changed, changes);
		if (
			this.#scope.attachment === "captured" &&
			listenersMayDiffer(mesh, changed)
		) {
			this.layer.replace(
				"listener",
				"",
				capturedOutboundListeners(mesh, (service, port) =>
					this.rulesOf(mesh, service, port),
				),
				changes,
			);
		}
		return changes;
	}

	/** The rules of a port as they apply to proxies of this scope. */
	rulesOf(
		mesh: Mesh,
		service: Service,
		port: ServicePort,
	): readonly CallerRule[] {
		const table = mesh.routes.get(routeTableKey(service.hostname, port.number));
		return table ? rulesFor(table, this.#scope) : [];
	}

	#virtualHost(mesh: Mesh, key: string): Resource[] {
		const colon = key.lastIndexOf(":");
		const service = mesh.services.get(key.slice(0, colon));
		const number = Number(key.slice(colon + 1));
		const port = service?.ports.find((p) => p.number === number);
		if (service === undefined || port === undefined) return [];
		const { attachment, namespace } = this.#scope;
		if (attachment === "captured" && !carriesHttp(port.protocol)) return [];
		return [
			sharedVirtualHost({
				service,
				port,
				rules: this.rulesOf(mesh, service, port),
				route:
					attachment === "captured"
						? portRouteName(number)
						: forwardProxyRouteName,
				attachment,
				local: namespace === service.namespace,
			}),
		];
	}

	#updateRoutes(
		mesh: Mesh,
		changed: MeshChanges,
		changes: ChangeCollector,
	): void {
		const { outboundTraffic } = mesh.options;
		const delta = this.#variant === "delta";
		if (delta && !changed.options && changed.services.size === 0) return;
		const names =
			this.#scope.attachment === "captured"
				? httpPortsOf(mesh).map(portRouteName)
				: [forwardProxyRouteName];
		const routes = names.map((name) =>
			delta
				? outboundRoutesResource({
						name,
						outboundTraffic,
						virtualHostsFollow: true,
					})
				: this.#wholeRoutes(name, outboundTraffic),
		);
		this.layer.replace("route", "", routes, changes);
	}

	/** The route configuration with its virtual hosts in it, put together from their bytes. */
	#wholeRoutes(
		name: string,
		outboundTraffic: Mesh["options"]["outboundTraffic"],
	): Resource {
		const hosts = [...this.layer.all("virtualHost").values()]
			.filter((host) => host.name.startsWith(`${name}/`))
			.sort((a, b) => compareText(a.name, b.name));
		const base = encode(
			RouteConfigurationSchema,
			outboundRoutes({ name, outboundTraffic, virtualHostsFollow: false }),
		);
		return resourceOfBytes(
			name,
			appendMessages(
				base,
				virtualHostsField,
				hosts.map(({ bytes }) => bytes),
			),
			hosts.flatMap(({ origins }) => origins),
		);
	}
}

function virtualHostsToMake(
	mesh: Mesh,
	changed: MeshChanges,
): ReadonlySet<string> {
	// A service that changed has a virtual host for each port it has now; for ports it lost, the table is gone, which is a change too.
	const keys = new Set(changed.routes);
	for (const hostname of changed.services) {
		for (const port of mesh.services.get(hostname)?.ports ?? []) {
			keys.add(routeTableKey(hostname, port.number));
		}
	}
	return keys;
}

/** False when certainly no listener changed: HTTP rules, by far the most frequent change, touch none. */
function listenersMayDiffer(mesh: Mesh, changed: MeshChanges): boolean {
	if (changed.options || changed.services.size > 0) return true;
	for (const hostname of changed.endpoints) {
		if (mesh.services.get(hostname)?.resolution === "headless") return true;
	}
	for (const key of changed.routes) {
		const colon = key.lastIndexOf(":");
		const number = Number(key.slice(colon + 1));
		const port = mesh.services
			.get(key.slice(0, colon))
			?.ports.find((p) => p.number === number);
		const plainHttp =
			port !== undefined &&
			carriesHttp(port.protocol) &&
			port.protocol !== "sniffed";
		if (!plainHttp) return true;
	}
	return false;
}

type Made = Map<string, Resource>;
const virtualHosts = new WeakMap<
	Service,
	WeakMap<readonly CallerRule[], Made>
>();

/** The virtual host, made once for all scopes to which the same rules apply. */
function sharedVirtualHost(called: CalledPort): Resource {
	let byRules = virtualHosts.get(called.service);
	if (byRules === undefined) {
		byRules = new WeakMap();
		virtualHosts.set(called.service, byRules);
	}
	let made = byRules.get(called.rules);
	if (made === undefined) {
		made = new Map();
		byRules.set(called.rules, made);
	}
	const key = `${called.route} ${called.port.number} ${called.local}`;
	let resource = made.get(key);
	if (resource === undefined) {
		resource = virtualHostResource(called);
		made.set(key, resource);
	}
	return resource;
}
