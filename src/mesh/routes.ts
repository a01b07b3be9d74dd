import { refOf } from "../api/metadata.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import {
	compareRefs,
	compareText,
	objectKey,
	printRef,
} from "../api/object-ref.ts";
import type { RouteRule } from "../api/route-rule.ts";
import { sameElements, share, shareList } from "../lib/share.ts";
import {
	type CompiledRule,
	compileRule,
	isCurrent,
	type SubsetUse,
} from "./compile-rule.ts";
import type { Finding } from "./finding.ts";
import { type CallerFacts, type MeshOptions, routeTableKey } from "./mesh.ts";
import type { Registry } from "./registry.ts";
import type { ClusterRef, RouteTable, Rule } from "./route.ts";
import type { Hostname } from "./service.ts";
import { dropShadowed, type ShadowedRule } from "./shadow.ts";
import { changedKeys, patchSorted, replaceSorted } from "./sorted-map.ts";
import { type Subset, wholeService } from "./subset.ts";

/** What routes are made from. */
export interface RouteInputs {
	readonly rules: ReadonlyMap<string, RouteRule>;
	readonly registry: Registry;
	readonly options: MeshOptions;
}

/** The routes of the mesh and what the next build shares with them. */
export interface RoutesPart {
	readonly inputs: RouteInputs;
	/** By `namespace/name` of the RouteRule. */
	readonly compiled: ReadonlyMap<string, CompiledRule>;
	/** Route tables that have rules, by key. */
	readonly tables: ReadonlyMap<string, TableRecord>;
	readonly routes: ReadonlyMap<string, RouteTable>;
	readonly gateways: ReadonlyMap<string, RouteTable>;
	readonly callerFacts: CallerFacts;
	readonly subsets: ReadonlyMap<Hostname, readonly Subset[]>;
	/** Subsets with labels that rules ask for, by service. */
	readonly uses: ReadonlyMap<Hostname, readonly SubsetUse[]>;
	readonly findings: readonly Finding[];
}

/** How a table came about. */
export interface TableRecord {
	/** All rules for it, in order. */
	readonly rules: readonly Rule[];
	readonly table: RouteTable;
	readonly shadowed: readonly ShadowedRule[];
}

/** The route tables, and all that follows from their rules. */
export function buildRoutes(
	inputs: RouteInputs,
	previous: RoutesPart | undefined,
): RoutesPart {
	const before = previous?.inputs;
	const servicesAreSame =
		before?.registry.services === inputs.registry.services &&
		before.registry.covered === inputs.registry.covered;
	if (
		previous !== undefined &&
		servicesAreSame &&
		before?.rules === inputs.rules &&
		before.options === inputs.options
	) {
		return previous;
	}
	const compiled = compileAll(inputs, previous);
	const rulesAreSame = previous?.compiled === compiled;
	const tables =
		previous !== undefined && rulesAreSame
			? previous.tables
			: buildTables(compiled, previous?.tables ?? new Map());
	const tablesAreSame = previous?.tables === tables;
	const kept =
		previous !== undefined && tablesAreSame
			? previous
			: {
					gateways: gatewayTables(compiled, tables, previous?.gateways),
					callerFacts: share(previous?.callerFacts, callerFactsOf(tables)),
				};
	return {
		inputs,
		compiled,
		tables,
		routes: patchRoutes(inputs.registry, tables, previous),
		gateways: kept.gateways,
		callerFacts: kept.callerFacts,
		subsets: patchSubsets(inputs.registry, tables, previous),
		uses:
			previous !== undefined && rulesAreSame
				? previous.uses
				: groupUses(compiled, previous?.uses ?? new Map()),
		findings:
			previous !== undefined && rulesAreSame
				? previous.findings
				: share(previous?.findings, [
						...[...compiled.values()].flatMap(({ findings }) => findings),
						...shadowFindings(compiled, tables),
					]),
	};
}

function compileAll(
	{ rules, registry, options }: RouteInputs,
	previous: RoutesPart | undefined,
): RoutesPart["compiled"] {
	const before = previous?.inputs;
	const suspects = new Set(changedKeys(before?.rules, rules));
	const optionsAreSame = before?.options === options;
	if (previous !== undefined) {
		for (const [key, compiled] of previous.compiled) {
			if (!optionsAreSame || !isCurrent(compiled, registry)) suspects.add(key);
		}
	}
	const patch = new Map<string, CompiledRule | undefined>();
	for (const key of suspects) {
		const object = rules.get(key);
		patch.set(
			key,
			object === undefined
				? undefined
				: compileRule(object, registry, options, previous?.compiled.get(key)),
		);
	}
	return patchSorted(
		previous?.compiled ?? new Map<string, CompiledRule>(),
		patch,
	);
}

/**
 * The one total order of rules: consumer before producer, then precedence, then
 * age, then namespace and name.
 */
function compareOrder(a: CompiledRule, b: CompiledRule): number {
	return (
		Number(b.isConsumer) - Number(a.isConsumer) ||
		b.object.spec.precedence - a.object.spec.precedence ||
		a.object.metadata.createdMs - b.object.metadata.createdMs ||
		compareText(a.object.metadata.namespace, b.object.metadata.namespace) ||
		compareText(a.object.metadata.name, b.object.metadata.name)
	);
}

function buildTables(
	compiled: RoutesPart["compiled"],
	previous: RoutesPart["tables"],
): RoutesPart["tables"] {
	const members = new Map<string, CompiledRule[]>();
	for (const one of compiled.values()) {
		for (const key of one.rules.keys()) {
			const list = members.get(key);
			if (list === undefined) members.set(key, [one]);
			else list.push(one);
		}
	}
	const tables = new Map<string, TableRecord>();
	for (const [key, list] of members) {
		list.sort(compareOrder);
		const rules = list.flatMap((one) => one.rules.get(key) ?? []);
		const before = previous.get(key);
		tables.set(
			key,
			before !== undefined && sameElements(before.rules, rules)
				? before
				: buildTable(key, rules, before),
		);
	}
	return replaceSorted(previous, tables);
}

function buildTable(
	key: string,
	all: readonly Rule[],
	previous: TableRecord | undefined,
): TableRecord {
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
			: { ...parseKey(key), rules: shared };
	return { rules: all, table, shadowed };
}

function parseKey(key: string): Omit<RouteTable, "rules"> {
	const colon = key.lastIndexOf(":");
	return { hostname: key.slice(0, colon), port: Number(key.slice(colon + 1)) };
}

function patchRoutes(
	registry: Registry,
	tables: RoutesPart["tables"],
	previous: RoutesPart | undefined,
): RoutesPart["routes"] {
	const before = previous?.inputs.registry.services;
	const patch = new Map<string, RouteTable | undefined>();
	const tableOf = (hostname: Hostname, port: number): RouteTable => {
		const key = routeTableKey(hostname, port);
		const ruled = tables.get(key)?.table;
		if (ruled !== undefined) return ruled;
		const old = previous?.routes.get(key);
		return old?.rules.length === 0 ? old : { hostname, port, rules: [] };
	};
	for (const hostname of changedKeys(before, registry.services)) {
		for (const { number } of before?.get(hostname)?.ports ?? []) {
			patch.set(routeTableKey(hostname, number), undefined);
		}
		for (const { number } of registry.services.get(hostname)?.ports ?? []) {
			patch.set(routeTableKey(hostname, number), tableOf(hostname, number));
		}
	}
	for (const key of changedKeys(previous?.tables, tables)) {
		const { hostname, port } = parseKey(key);
		const exists = registry.services
			.get(hostname)
			?.ports.some(({ number }) => number === port);
		patch.set(key, exists === true ? tableOf(hostname, port) : undefined);
	}
	return patchSorted(previous?.routes ?? new Map<string, RouteTable>(), patch);
}

/** The rules of each gateway in the one total order, each for the first port that it has. */
function gatewayTables(
	compiled: RoutesPart["compiled"],
	tables: RoutesPart["tables"],
	previous: RoutesPart["gateways"] | undefined,
): RoutesPart["gateways"] {
	const rules = new Map<string, Rule[]>();
	const attached = [...compiled.values()].filter(
		({ object }) => object.spec.gateways !== undefined,
	);
	for (const one of attached.sort(compareOrder)) {
		const rule = firstInForce(one, tables);
		for (const gateway of rule?.gateways ?? []) {
			const list = rules.get(gateway);
			if (rule === undefined) continue;
			if (list === undefined) rules.set(gateway, [rule]);
			else list.push(rule);
		}
	}
	const shared = new Map<string, RouteTable>();
	for (const [gateway, list] of rules) {
		const before = previous?.get(gateway);
		const same = shareList(before?.rules, list, ({ origin }) =>
			objectKey(origin),
		);
		shared.set(
			gateway,
			before?.rules === same
				? before
				: { hostname: gateway, port: 0, rules: same },
		);
	}
	return replaceSorted(previous ?? new Map(), shared);
}

function firstInForce(
	compiled: CompiledRule,
	tables: RoutesPart["tables"],
): Rule | undefined {
	for (const key of compiled.rules.keys()) {
		const rule = tables
			.get(key)
			?.table.rules.find(
				({ origin }) => compareRefs(origin, refOf(compiled.object)) === 0,
			);
		if (rule !== undefined) return rule;
	}
	return undefined;
}

function callerFactsOf(tables: RoutesPart["tables"]): CallerFacts {
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

const wholeOnly: readonly Subset[] = [wholeService];

function patchSubsets(
	registry: Registry,
	tables: RoutesPart["tables"],
	previous: RoutesPart | undefined,
): RoutesPart["subsets"] {
	const used = previous?.tables === tables ? undefined : subsetsInUse(tables);
	const before = previous?.inputs.registry.services;
	const old: RoutesPart["subsets"] = previous?.subsets ?? new Map();
	const patch = new Map<Hostname, readonly Subset[] | undefined>();
	for (const hostname of changedKeys(before, registry.services)) {
		patch.set(
			hostname,
			registry.services.has(hostname)
				? (old.get(hostname) ?? wholeOnly)
				: undefined,
		);
	}
	if (used !== undefined) {
		for (const [hostname, list] of old) {
			if (list.length === 1 || used.has(hostname)) continue;
			if (registry.services.has(hostname)) patch.set(hostname, wholeOnly);
		}
		for (const [hostname, byName] of used) {
			if (!registry.services.has(hostname)) continue;
			const list = [...byName.values()].sort((a, b) =>
				compareText(a.name, b.name),
			);
			patch.set(hostname, share(old.get(hostname), [wholeService, ...list]));
		}
	}
	return patchSorted(old, patch);
}

function subsetsInUse(
	tables: RoutesPart["tables"],
): ReadonlyMap<Hostname, ReadonlyMap<string, Subset>> {
	const used = new Map<Hostname, Map<string, Subset>>();
	const use = ({ hostname, subset }: ClusterRef): void => {
		if (subset.name === "") return;
		const byName = used.get(hostname);
		if (byName === undefined) {
			used.set(hostname, new Map([[subset.name, subset]]));
		} else byName.set(subset.name, subset);
	};
	for (const { table } of tables.values()) {
		for (const { action } of table.rules) {
			if (action.kind !== "forward") continue;
			for (const { cluster } of action.targets) {
				if (cluster !== undefined) use(cluster);
			}
			for (const { cluster } of action.mirrors) use(cluster);
		}
	}
	return used;
}

function groupUses(
	compiled: RoutesPart["compiled"],
	previous: RoutesPart["uses"],
): RoutesPart["uses"] {
	const groups = new Map<Hostname, SubsetUse[]>();
	for (const { uses } of compiled.values()) {
		for (const use of uses) {
			const list = groups.get(use.hostname);
			if (list === undefined) groups.set(use.hostname, [use]);
			else list.push(use);
		}
	}
	const shared = new Map<Hostname, readonly SubsetUse[]>();
	for (const [hostname, list] of groups) {
		const before = previous.get(hostname);
		shared.set(
			hostname,
			before !== undefined && sameElements(before, list) ? before : list,
		);
	}
	return replaceSorted(previous, shared);
}

/** A rule that is gone from some of its tables only is still in force. */
function shadowFindings(
	compiled: RoutesPart["compiled"],
	tables: RoutesPart["tables"],
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
