import { compareText } from "../api/object-ref.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { memoByInput } from "../lib/memo.ts";
import { share } from "../lib/share.ts";
import type { ClusterRef, RouteTable } from "./route.ts";
import type { RouteTables } from "./route-tables.ts";
import type { Hostname, Service } from "./service.ts";
import { changedKeys, patchSorted, replaceSorted } from "./sorted-map.ts";
import { type Subset, wholeService } from "./subset.ts";

/** The subsets of every service and what the next build shares with them. */
export interface SubsetsPart {
	readonly services: ReadonlyMap<Hostname, Service>;
	readonly tables: RouteTables["tables"];
	/** Those other than the whole service that some rule in force calls, by name. */
	readonly used: ReadonlyMap<Hostname, readonly Subset[]>;
	readonly subsets: ReadonlyMap<Hostname, readonly Subset[]>;
}

/** The subsets of every service: the whole first, then by name what rules in force call. */
export function buildSubsets(
	services: SubsetsPart["services"],
	tables: SubsetsPart["tables"],
	previous: SubsetsPart | undefined,
): SubsetsPart {
	const used =
		previous !== undefined && callTheSame(previous.tables, tables)
			? previous.used
			: subsetsInUse(tables, previous?.used ?? new Map());
	const suspects = new Set([
		...changedKeys(previous?.services, services),
		...changedKeys(previous?.used, used),
	]);
	const old: SubsetsPart["subsets"] = previous?.subsets ?? new Map();
	const patch = new Map<Hostname, readonly Subset[] | undefined>();
	for (const hostname of suspects) {
		const own = used.get(hostname);
		const list =
			own === undefined
				? wholeOnly
				: share(old.get(hostname), [wholeService, ...own]);
		patch.set(hostname, services.has(hostname) ? list : undefined);
	}
	return { services, tables, used, subsets: patchSorted(old, patch) };
}

const wholeOnly: readonly Subset[] = [wholeService];

/** Whether the tables that differ call the same subsets, as they mostly do. */
function callTheSame(
	before: SubsetsPart["tables"],
	after: SubsetsPart["tables"],
): boolean {
	for (const key of changedKeys(before, after)) {
		const old = before.get(key);
		const now = after.get(key);
		if (old === undefined || now === undefined) return false;
		if (!deepEqual(clustersOf(old.table), clustersOf(now.table))) return false;
	}
	return true;
}

function subsetsInUse(
	tables: SubsetsPart["tables"],
	previous: SubsetsPart["used"],
): SubsetsPart["used"] {
	const groups = new Map<Hostname, Map<string, Subset>>();
	for (const { table } of tables.values()) {
		for (const { hostname, subset } of clustersOf(table)) {
			const byName = groups.get(hostname);
			if (byName === undefined) {
				groups.set(hostname, new Map([[subset.name, subset]]));
			} else byName.set(subset.name, subset);
		}
	}
	const used = new Map<Hostname, readonly Subset[]>();
	for (const [hostname, byName] of groups) {
		const list = [...byName.values()].sort((a, b) =>
			compareText(a.name, b.name),
		);
		used.set(hostname, share(previous.get(hostname), list));
	}
	return replaceSorted(previous, used);
}

/** Clusters of subsets that the table's rules call. */
const clustersOf = memoByInput((table: RouteTable): readonly ClusterRef[] =>
	table.rules
		.flatMap(({ action }) =>
			action.kind === "forward"
				? [
						...action.targets.map(({ cluster }) => cluster),
						...action.mirrors.map(({ cluster }) => cluster),
					]
				: [],
		)
		.filter((cluster) => cluster !== undefined)
		.filter(({ subset }) => subset.name !== ""),
);
