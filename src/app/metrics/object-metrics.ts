import type { InvalidObject, Objects } from "../../api/objects.ts";
import type { MeshState } from "../../controllers/mesh.ts";
import type { Signal } from "../../lib/signal.ts";
import type { MetricsRegistry } from "../../observability/metrics.ts";
import type { Catalog } from "../../xds/catalog/catalog.ts";

/** Where the figures are read. */
export interface MeasuredParts {
	readonly objects: Signal<Objects>;
	readonly invalid: Signal<ReadonlyMap<string, InvalidObject>>;
	readonly mesh: Signal<MeshState>;
	readonly catalog: Catalog;
}

/** Makes the figures about objects and the mesh; they are read when somebody looks. */
export function addObjectMetrics(
	registry: MetricsRegistry,
	parts: MeasuredParts,
): void {
	const objects = registry.gauge("lateen_objects", "Good objects, by kind.", [
		"kind",
	]);
	const refused = registry.gauge(
		"lateen_objects_refused",
		"Objects whose newest form is refused.",
	);
	const findings = registry.gauge(
		"lateen_findings",
		"Objects, or parts of them, that are not in force, by reason.",
		["reason"],
	);
	const services = registry.gauge("lateen_services", "Services of the mesh.");
	const scopes = registry.gauge(
		"lateen_proxy_scopes",
		"Different sets of rules among connected proxies; each set is generated once.",
	);
	const editions = registry.gauge(
		"lateen_mesh_editions",
		"Editions of the mesh besides the one for everybody: for proxies of software that refuses an object, and for one that is asked about one.",
	);
	const generated = registry.counter(
		"lateen_xds_generated_total",
		"Resources that were built and encoded, by type.",
		["type"],
	);
	const counted = new Map<string, number>();
	const reasons = new Set<string>();
	registry.beforePrint(() => {
		for (const [kind, map] of Object.entries(parts.objects.value))
			objects.set(map.size, { kind });
		refused.set(parts.invalid.value.size);
		const { mesh, findings: list } = parts.mesh.value;
		const counts = new Map<string, number>();
		for (const { reason } of list)
			counts.set(reason, (counts.get(reason) ?? 0) + 1);
		for (const reason of counts.keys()) reasons.add(reason);
		for (const reason of reasons)
			findings.set(counts.get(reason) ?? 0, { reason });
		services.set(mesh?.services.size ?? 0);
		scopes.set(parts.catalog.scopes);
		editions.set(parts.catalog.editions);
		for (const [type, count] of parts.catalog.generated) {
			generated.add(count - (counted.get(type) ?? 0), { type });
			counted.set(type, count);
		}
	});
}
