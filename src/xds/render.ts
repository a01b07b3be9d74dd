import type { Mesh } from "../mesh/mesh.ts";
import { Catalog } from "./catalog/catalog.ts";
import type { Proxy } from "./proxy.ts";
import type { Resource } from "./resource.ts";
import { type ResourceType, sendOrder } from "./resource-type.ts";

/**
 * Everything a proxy would be sent, without a server: the same bytes, in order of name.
 *
 * @param targets what a gRPC client asks for; nothing is sent to it unasked.
 */
export function renderProxy(
	mesh: Mesh,
	proxy: Proxy,
	variant: "delta" | "sotw",
	targets: readonly string[] = [],
): ReadonlyMap<ResourceType, readonly Resource[]> {
	const catalog = new Catalog();
	catalog.update(mesh);
	return renderFrom(catalog, proxy, variant, targets);
}

/** `renderProxy` for one of many proxies of a mesh: what they share is made once. */
export function renderFrom(
	catalog: Catalog,
	proxy: Proxy,
	variant: "delta" | "sotw",
	targets: readonly string[] = [],
): ReadonlyMap<ResourceType, readonly Resource[]> {
	const { resources, release } = catalog.attach(proxy, variant);
	const rendered = new Map(
		sendOrder.map((type) => [
			type,
			(type === "listener" && proxy.kind === "grpc"
				? targets
				: [...resources.names(type)].sort()
			).flatMap((name) => resources.get(type, name) ?? []),
		]),
	);
	release();
	return rendered;
}
