import {
	compareText,
	type ObjectRef,
	objectKey,
	printRef,
} from "../api/object-ref.ts";
import { sameElements, share } from "../lib/share.ts";
import type { CompiledRule } from "./compile-rule.ts";
import type { Finding } from "./finding.ts";
import type { RouteTable, Rule } from "./route.ts";
import { dropShadowed, type ShadowedRule } from "./shadow.ts";
import { changedKeys, patchSorted } from "./sorted-map.ts";

/** How a route table came about. */
export interface TableRecord {
	/** The rules that it is made from, in order. */
	readonly members: readonly CompiledRule[];
	/** The same as they apply to this table. */
	readonly rules: readonly Rule[];
	readonly table: RouteTable;
	readonly shadowed: readonly ShadowedRule[];
}

/** Compiled rules and the tables that they make. */
export interface RouteTables {
	/** By `namespace/name` of the RouteRule. */
	readonly compiled: ReadonlyMap<string, CompiledRule>;
	/** Route tables that have rules, by key. */
	readonly tables: ReadonlyMap<string, TableRecord>;
}

/**
 * The one total order of rules: consumer before producer, then precedence, then
 * age, then namespace and name. Rules of the root namespace apply to all callers
 * and so stand among the producer rules.
 */
export function compareOrder(a: CompiledRule, b: CompiledRule): number {
	return (
		Number(b.isConsumer) - Number(a.isConsumer) ||
		b.object.spec.precedence - a.object.spec.precedence ||
		a.object.metadata.createdMs - b.object.metadata.createdMs ||
		compareText(a.object.metadata.namespace, b.object.metadata.namespace) ||
		compareText(a.object.metadata.name, b.object.metadata.name)
	);
}

/** The tables that these rules make; only those of rules that changed are made again. */
export function buildTables(
	compiled: RouteTables["compiled"],
	previous: RouteTables | undefined,
): RouteTables["tables"] {
	const changed = changedKeys(previous?.compiled, compiled);
	const members = new Map<string, CompiledRule[]>();
	const membersOf = (key: string): CompiledRule[] => {
		let list = members.get(key);
		if (list === undefined) {
			list = (previous?.tables.get(key)?.members ?? []).filter(
				(member) => !changed.has(member.key),
			);
			members.set(key, list);
		}
		return list;
	};
	for (const rule of changed) {
		const before = previous?.compiled.get(rule);
		for (const key of before?.rules.keys() ?? []) membersOf(key);
		const after = compiled.get(rule);
		if (after === undefined) continue;
		for (const key of after.rules.keys()) membersOf(key).push(after);
	}
	const patch = new Map<string, TableRecord | undefined>();
	for (const [key, list] of members) {
		patch.set(
			key,
			list.length === 0
				? undefined
				: buildTable(key, list.sort(compareOrder), previous?.tables.get(key)),
		);
	}
	return patchSorted(previous?.tables ?? new Map<string, TableRecord>(), patch);
}

function buildTable(
	key: string,
	members: readonly CompiledRule[],
	previous: TableRecord | undefined,
): TableRecord {
	const all = members.flatMap((one) => one.rules.get(key) ?? []);
	if (previous !== undefined && sameElements(previous.rules, all)) {
		return { ...previous, members };
	}
	const { rules, shadowed } = dropShadowed(all);
	const before = new Map(
		previous?.table.rules.map((rule) => [objectKey(rule.origin), rule]),
	);
	const shared = rules.map((rule) =>
		share(before.get(objectKey(rule.origin)), rule),
	);
	const table =
		previous !== undefined && sameElements(previous.table.rules, shared)
			? previous.table
			: { ...parseRouteTableKey(key), rules: shared };
	return { members, rules: all, table, shadowed };
}

/** Hostname and port of a route table's key. */
export function parseRouteTableKey(key: string): Omit<RouteTable, "rules"> {
	const colon = key.lastIndexOf(":");
	return { hostname: key.slice(0, colon), port: Number(key.slice(colon + 1)) };
}

/** Rules that can never be reached. A rule that is gone from some of its tables only is still in force. */
export function shadowFindings(
	compiled: RouteTables["compiled"],
	tables: RouteTables["tables"],
): readonly Finding[] {
	const byRule = new Map<
		string,
		{ tables: number; readonly by: Map<string, ObjectRef> }
	>();
	for (const { shadowed } of tables.values()) {
		for (const { origin, by } of shadowed) {
			const key = objectKey(origin);
			const seen = byRule.get(key) ?? { tables: 0, by: new Map() };
			seen.tables++;
			for (const ref of by) seen.by.set(printRef(ref), ref);
			byRule.set(key, seen);
		}
	}
	return [...byRule].flatMap(([key, seen]): readonly Finding[] => {
		const one = compiled.get(key);
		if (one === undefined || seen.tables < one.rules.size) return [];
		const names = [...seen.by.keys()].sort().join(" and ");
		return [
			{
				about: {
					kind: one.object.kind,
					namespace: one.object.metadata.namespace,
					name: one.object.metadata.name,
				},
				condition: "Programmed",
				reason: "Shadowed",
				path: "",
				message: `Every request that this rule could take is taken by ${names} before it, so it never applies. Give it a higher precedence, or narrow ${names}.`,
			},
		];
	});
}
