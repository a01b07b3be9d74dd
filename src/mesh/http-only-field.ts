import type { RouteRuleSpec } from "../api/route-rule.ts";

/** Path of a field that has a meaning for HTTP requests only, or undefined when the rule has none. */
export function httpOnlyField(spec: RouteRuleSpec): string | undefined {
	for (const [index, match] of (spec.match ?? []).entries()) {
		for (const field of matchFields) {
			if (match[field] !== undefined) return `spec.match[${index}].${field}`;
		}
	}
	for (const [index, target] of (spec.route ?? []).entries()) {
		if (target.headers !== undefined) return `spec.route[${index}].headers`;
	}
	for (const field of ruleFields) {
		if (spec[field] !== undefined) return `spec.${field}`;
	}
	// A connection has a source address too, and so it can be hashed.
	return spec.affinity !== undefined && spec.affinity.sourceIP !== true
		? "spec.affinity"
		: undefined;
}

const matchFields = [
	"path",
	"method",
	"scheme",
	"authority",
	"headers",
	"query",
	"fault",
] as const;

const ruleFields = [
	"redirect",
	"respond",
	"rewrite",
	"timeout",
	"retries",
	"fault",
	"mirror",
	"cors",
	"headers",
	"upgrade",
] as const;
