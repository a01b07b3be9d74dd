import { memoByInput } from "../../lib/memo.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import type { Hostname, Service } from "../../mesh/service.ts";

const byHost = memoByInput(
	(services: ReadonlyMap<Hostname, Service>): ReadonlyMap<string, Service> => {
		const index = new Map<string, Service>();
		for (const service of services.values()) {
			for (const host of service.hosts) index.set(host, service);
			for (const host of service.localHosts) {
				index.set(localKey(service.namespace, host), service);
			}
		}
		return index;
	},
);

/** The service that a caller of this namespace means by this host, or undefined. */
export function serviceByHost(
	mesh: Mesh,
	namespace: string,
	host: string,
): Service | undefined {
	const index = byHost(mesh.services);
	const name = host.toLowerCase();
	return index.get(name) ?? index.get(localKey(namespace, name));
}

function localKey(namespace: string, host: string): string {
	return `${namespace}/${host}`;
}
