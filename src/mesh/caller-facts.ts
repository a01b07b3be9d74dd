import type { CallerFacts } from "./mesh.ts";
import type { RouteTables } from "./route-tables.ts";
import type { Hostname } from "./service.ts";

/** What the rules in force ask of callers. */
export function callerFactsOf(tables: RouteTables["tables"]): CallerFacts {
	const labelKeys = new Set<string>();
	const services = new Set<Hostname>();
	let identity = false;
	for (const { table } of tables.values()) {
		for (const rule of table.rules) {
			for (const { source } of rule.branches) {
				if (source === undefined) continue;
				for (const key of Object.keys(source.labels)) labelKeys.add(key);
				if (source.service !== undefined) services.add(source.service);
				if (source.identity !== undefined) identity = true;
			}
		}
	}
	return {
		labelKeys: new Set([...labelKeys].sort()),
		services: new Set([...services].sort()),
		identity,
	};
}
