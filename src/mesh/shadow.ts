/*
 * Which branches of a route table can never be reached.
 *
 * A branch is shadowed when one earlier branch takes everything that it could
 * take, for every caller that it applies to. Only what is certain counts: a
 * branch that several earlier ones cover together is kept, and so is one whose
 * regex happens to be narrower.
 */
import type { ObjectRef } from "../api/object-ref.ts";
import type {
	Branch,
	HttpMatch,
	Rule,
	SourceMatch,
	TcpMatch,
} from "./route.ts";
import type { StringMatch } from "./string-match.ts";
import { stringMatchImplies } from "./string-match-implies.ts";

/** A rule none of whose branches can be reached in one table. */
export interface ShadowedRule {
	readonly origin: ObjectRef;
	/** The rules that take its requests, in order. */
	readonly by: readonly ObjectRef[];
}

/** The rules of a table without what can never be reached, and the rules that are gone altogether. */
export function dropShadowed(rules: readonly Rule[]): {
	readonly rules: readonly Rule[];
	readonly shadowed: readonly ShadowedRule[];
} {
	const kept: Rule[] = [];
	const shadowed: ShadowedRule[] = [];
	const earlier = new Earlier();
	for (const rule of rules) {
		const branches: Branch[] = [];
		const by = new Set<ObjectRef>();
		for (const branch of rule.branches) {
			const taker = earlier.findTaker({ rule, branch });
			if (taker === undefined) {
				branches.push(branch);
				earlier.add({ rule, branch });
			} else by.add(taker.rule.origin);
		}
		if (branches.length === 0) {
			shadowed.push({ origin: rule.origin, by: [...by] });
		} else {
			kept.push(
				branches.length === rule.branches.length ? rule : { ...rule, branches },
			);
		}
	}
	return { rules: kept, shadowed };
}

interface Candidate {
	readonly rule: Rule;
	readonly branch: Branch;
}

/**
 * The branches so far. A branch that asks for an exact text can take only from
 * branches that ask for the same text, so a thousand rules for a thousand users
 * are not compared with one another.
 */
class Earlier {
	readonly #byText = new Map<string, (Candidate & { readonly at: number })[]>();
	#count = 0;

	add(candidate: Candidate): void {
		const [text = ""] = exactTexts(candidate.branch.http);
		const list = this.#byText.get(text);
		const entry = { ...candidate, at: this.#count++ };
		if (list === undefined) this.#byText.set(text, [entry]);
		else list.push(entry);
	}

	/** The first branch that takes everything from this one. */
	findTaker(later: Candidate): Candidate | undefined {
		let first: (Candidate & { readonly at: number }) | undefined;
		for (const text of ["", ...exactTexts(later.branch.http)]) {
			const taker = this.#byText
				.get(text)
				?.find((candidate) => takesAll(candidate, later));
			if (taker !== undefined && (first === undefined || taker.at < first.at)) {
				first = taker;
			}
		}
		return first;
	}
}

/** Conditions that nothing but the same condition implies, as texts. */
function exactTexts(http: HttpMatch | undefined): readonly string[] {
	if (http === undefined) return [];
	const isExact = ({ kind, not, ignoreCase }: StringMatch): boolean =>
		kind === "exact" && !not && !ignoreCase;
	return [
		...(http.path !== undefined && isExact(http.path)
			? [`path ${http.path.value}`]
			: []),
		...http.headers
			.filter(([, match]) => isExact(match))
			.map(([name, match]) => `header ${name} ${match.value}`),
	];
}

function takesAll(earlier: Candidate, later: Candidate): boolean {
	return (
		(earlier.rule.layer === later.rule.layer ||
			earlier.rule.layer === "both") &&
		audienceCovers(earlier, later) &&
		httpCovers(earlier.branch.http, later.branch.http) &&
		tcpCovers(earlier.branch.tcp, later.branch.tcp)
	);
}

function audienceCovers(earlier: Candidate, later: Candidate): boolean {
	const wide = earlier.rule;
	const narrow = later.rule;
	return (
		(wide.callerNamespace === undefined ||
			wide.callerNamespace === narrow.callerNamespace) &&
		(wide.sidecars || !narrow.sidecars) &&
		narrow.gateways.every((gateway) => wide.gateways.includes(gateway)) &&
		sourceCovers(
			earlier.branch.source,
			later.branch.source,
			narrow.callerNamespace,
		)
	);
}

function sourceCovers(
	wide: SourceMatch | undefined,
	narrow: SourceMatch | undefined,
	narrowNamespace: string | undefined,
): boolean {
	if (wide === undefined) return true;
	const namespace = narrow?.namespace ?? narrowNamespace;
	return (
		(wide.namespace === undefined || wide.namespace === namespace) &&
		(wide.service === undefined || wide.service === narrow?.service) &&
		Object.keys(wide.labels).every(
			(key) => wide.labels[key] === narrow?.labels[key],
		) &&
		matchCovers(wide.identity, narrow?.identity)
	);
}

function httpCovers(
	wide: HttpMatch | undefined,
	narrow: HttpMatch | undefined,
): boolean {
	if (wide === undefined) return true;
	return (
		matchCovers(wide.path, narrow?.path) &&
		matchCovers(wide.method, narrow?.method) &&
		matchCovers(wide.scheme, narrow?.scheme) &&
		matchCovers(wide.authority, narrow?.authority) &&
		namedCover(wide.headers, narrow?.headers ?? []) &&
		namedCover(wide.query, narrow?.query ?? [])
	);
}

function namedCover(
	wide: HttpMatch["headers"],
	narrow: HttpMatch["headers"],
): boolean {
	return wide.every(([name, match]) =>
		narrow.some(
			([other, asked]) => other === name && stringMatchImplies(asked, match),
		),
	);
}

function matchCovers(
	wide: StringMatch | undefined,
	narrow: StringMatch | undefined,
): boolean {
	if (wide === undefined) return true;
	return narrow !== undefined && stringMatchImplies(narrow, wide);
}

function tcpCovers(
	wide: TcpMatch | undefined,
	narrow: TcpMatch | undefined,
): boolean {
	if (wide === undefined) return true;
	return (
		anyOfCovers(wide.sourceSubnets, narrow?.sourceSubnets ?? []) &&
		anyOfCovers(wide.destinationSubnets, narrow?.destinationSubnets ?? []) &&
		anyOfCovers(wide.sni, narrow?.sni ?? [])
	);
}

/** Each list means "one of these", and an empty one "anything". */
function anyOfCovers(
	wide: readonly string[],
	narrow: readonly string[],
): boolean {
	if (wide.length === 0) return true;
	return narrow.length > 0 && narrow.every((item) => wide.includes(item));
}
