import { refOf } from "../api/metadata.ts";
import { compareRefs, compareText, objectKey } from "../api/object-ref.ts";
import type { RouteRule } from "../api/route-rule.ts";
import { sameElements, share, shareList } from "../lib/share.ts";
import { callerFactsOf } from "./caller-facts.ts";
import { type CompiledRule, compileRule, isCurrent } from "./compile-rule.ts";
import type { Finding } from "./finding.ts";
import { type CallerFacts, type MeshOptions, routeTableKey } from "./mesh.ts";
import type { Registry } from "./registry.ts";
import type { RouteTable, Rule } from "./route.ts";
import {
	buildTables,
	compareOrder,
	parseRouteTableKey,
	type RouteTables,
	shadowFindings,
} from "./route-tables.ts";
import type { SubsetUse } from "./rule-context.ts";
import type { Hostname } from "./service.ts";
import { changedKeys, patchSorted, replaceSorted } from "./sorted-map.ts";
import { buildSubsets, type SubsetsPart } from "./subsets.ts";

/** What routes are made from. */
export interface RouteInputs {
	readonly rules: ReadonlyMap<string, RouteRule>;
	readonly registry: Registry;
	readonly options: MeshOptions;
}

/** The routes of the mesh and what the next build shares with them. */
export interface RoutesPart extends RouteTables {
	readonly inputs: RouteInputs;
	readonly routes: ReadonlyMap<string, RouteTable>;
	readonly gateways: ReadonlyMap<string, RouteTable>;
	readonly callerFacts: CallerFacts;
	readonly subsets: SubsetsPart;
	/** Subsets with labels that rules ask for, by service. */
	readonly uses: ReadonlyMap<Hostname, readonly SubsetUse[]>;
	readonly findings: readonly Finding[];
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
			: buildTables(compiled, previous);
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
		subsets: buildSubsets(inputs.registry.services, tables, previous?.subsets),
		uses:
			previous !== undefined && rulesAreSame
				? previous.uses
				: groupUses(compiled, previous),
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
	const servicesAreSame =
		before?.registry.services === registry.services &&
		before.registry.covered === registry.covered;
	if (previous !== undefined && !(optionsAreSame && servicesAreSame)) {
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
		const { hostname, port } = parseRouteTableKey(key);
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

function groupUses(
	compiled: RoutesPart["compiled"],
	previous: RoutesPart | undefined,
): RoutesPart["uses"] {
	const changed = changedKeys(previous?.compiled, compiled);
	const groups = new Map<Hostname, SubsetUse[]>();
	const group = (hostname: Hostname): SubsetUse[] => {
		let list = groups.get(hostname);
		if (list === undefined) {
			list = (previous?.uses.get(hostname) ?? []).filter(
				({ about }) => !changed.has(objectKey(about)),
			);
			groups.set(hostname, list);
		}
		return list;
	};
	for (const key of changed) {
		const before = previous?.compiled.get(key);
		for (const { hostname } of before?.uses ?? []) group(hostname);
		const after = compiled.get(key);
		for (const use of after?.uses ?? []) group(use.hostname).push(use);
	}
	const patch = new Map<Hostname, readonly SubsetUse[] | undefined>();
	for (const [hostname, list] of groups) {
		list.sort(
			(a, b) => compareRefs(a.about, b.about) || compareText(a.path, b.path),
		);
		const before = previous?.uses.get(hostname);
		const same = before !== undefined && sameElements(before, list);
		patch.set(hostname, list.length === 0 ? undefined : same ? before : list);
	}
	return patchSorted(
		previous?.uses ?? new Map<Hostname, readonly SubsetUse[]>(),
		patch,
	);
}
