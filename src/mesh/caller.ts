import { memoByInput } from "../lib/memo.ts";
import type { Branch, RouteTable, Rule, SourceMatch } from "./route.ts";
import type { Hostname } from "./service.ts";
import type { StringMatch } from "./string-match.ts";

/** Whoever calls, as far as rules can ask. A proxy scope is one. */
export interface Caller {
	readonly kind: "sidecar" | "gateway";
	/** `namespace/name` of the gateway; empty for sidecars. */
	readonly gateway: string;
	readonly namespace: string;
	readonly labels: ReadonlyMap<string, string>;
	/** Hostnames of services that its workload serves. */
	readonly services: readonly Hostname[];
	/** SPIFFE ID; empty when unknown. */
	readonly identity: string;
}

/** A rule with those of its branches that apply to a caller. */
export interface CallerRule {
	readonly rule: Rule;
	/** Not empty; the rule's own list when all of them apply. */
	readonly branches: readonly Branch[];
}

/**
 * The rules of the table that apply to the caller, in order. Sources are
 * decided here: nothing is left to ask of the caller.
 *
 * Guarantees: callers for whom the outcome is the same get the same array.
 */
export function rulesFor(
	table: RouteTable,
	caller: Caller,
): readonly CallerRule[] {
	if (table.rules.length === 0) return noRules;
	const outcomes = outcomesOf(table);
	const key = outcomeKey(table, caller);
	const known = outcomes.get(key);
	if (known !== undefined) return known;
	const rules = table.rules.flatMap((rule): readonly CallerRule[] => {
		if (!appliesTo(rule, caller)) return [];
		const branches = rule.branches.filter((branch) =>
			sourceMatches(branch.source, caller),
		);
		if (branches.length === 0) return [];
		return [
			{
				rule,
				branches:
					branches.length === rule.branches.length ? rule.branches : branches,
			},
		];
	});
	outcomes.set(key, rules);
	return rules;
}

/** Equal for callers to whom the same branches of the table apply: one digit per branch. */
export function outcomeKey(table: RouteTable, caller: Caller): string {
	let key = "";
	for (const rule of table.rules) {
		const applies = appliesTo(rule, caller);
		for (const { source } of rule.branches) {
			key += applies && sourceMatches(source, caller) ? "1" : "0";
		}
	}
	return key;
}

const noRules: readonly CallerRule[] = [];

const outcomesOf = memoByInput(
	(_table: RouteTable) => new Map<string, readonly CallerRule[]>(),
);

function appliesTo(rule: Rule, caller: Caller): boolean {
	if (
		rule.callerNamespace !== undefined &&
		rule.callerNamespace !== caller.namespace
	) {
		return false;
	}
	switch (caller.kind) {
		case "sidecar":
			return rule.sidecars;
		case "gateway":
			return rule.gateways.includes(caller.gateway);
	}
}

function sourceMatches(
	source: SourceMatch | undefined,
	caller: Caller,
): boolean {
	if (source === undefined) return true;
	if (source.namespace !== undefined && source.namespace !== caller.namespace) {
		return false;
	}
	if (
		source.service !== undefined &&
		!caller.services.includes(source.service)
	) {
		return false;
	}
	for (const key in source.labels) {
		if (caller.labels.get(key) !== source.labels[key]) return false;
	}
	return (
		source.identity === undefined ||
		identityMatches(source.identity, caller.identity)
	);
}

/** An unknown identity matches nothing, so that a rule for one caller never reaches another. */
function identityMatches(match: StringMatch, identity: string): boolean {
	if (identity === "") return false;
	switch (match.kind) {
		case "exact":
			return (identity === match.value) !== match.not;
		case "prefix":
			return identity.startsWith(match.value) !== match.not;
		case "suffix":
		case "contains":
		case "regex":
		case "present":
			throw new Error(`an identity cannot be matched by ${match.kind}`);
	}
}
