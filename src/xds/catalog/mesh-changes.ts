import type { Mesh } from "../../mesh/mesh.ts";
import type { Hostname } from "../../mesh/service.ts";

/** What differs between two meshes, found by comparing references once for all proxies. */
export interface MeshChanges {
	/** Services whose definition or subsets differ, new and vanished ones too. */
	readonly services: ReadonlySet<Hostname>;
	/** Services whose endpoints differ. */
	readonly endpoints: ReadonlySet<Hostname>;
	/** Keys (`hostname:port`) of route tables that differ. */
	readonly routes: ReadonlySet<string>;
	readonly gateways: boolean;
	readonly workloads: boolean;
	readonly options: boolean;
	readonly callerFacts: boolean;
}

/** What changed from `before` to `after`; with nothing before, everything did. */
export function meshChanges(
	before: Mesh | undefined,
	after: Mesh,
): MeshChanges {
	const services = new Set<Hostname>();
	addChangedKeys(services, before?.services, after.services);
	addChangedKeys(services, before?.subsets, after.subsets);
	const endpoints = new Set<Hostname>();
	addChangedKeys(endpoints, before?.endpoints, after.endpoints);
	const routes = new Set<string>();
	addChangedKeys(routes, before?.routes, after.routes);
	return {
		services,
		endpoints,
		routes,
		gateways: before?.gateways !== after.gateways,
		workloads: before?.workloads !== after.workloads,
		options: before?.options !== after.options,
		callerFacts: before?.callerFacts !== after.callerFacts,
	};
}

function addChangedKeys<V>(
	changed: Set<string>,
	before: ReadonlyMap<string, V> | undefined,
	after: ReadonlyMap<string, V>,
): void {
	if (before === after) return;
	for (const [key, value] of after) {
		if (before?.get(key) !== value) changed.add(key);
	}
	for (const key of before?.keys() ?? []) {
		if (!after.has(key)) changed.add(key);
	}
}
