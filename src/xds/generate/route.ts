import { printRef } from "../../api/object-ref.ts";
import {
	type RedirectActionSchema,
	RedirectAction_RedirectResponseCode as RedirectCode,
	type RetryPolicySchema,
	type RouteAction_HashPolicySchema,
	type RouteActionSchema,
	type RouteMatchSchema,
	type RouteSchema,
	type WeightedCluster_ClusterWeightSchema,
} from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { FaultDelaySchema } from "../../gen/envoy/envoy/extensions/filters/common/fault/v3/fault_pb.js";
import { CorsPolicySchema } from "../../gen/envoy/envoy/extensions/filters/http/cors/v3/cors_pb.js";
import {
	type FaultAbortSchema,
	HTTPFaultSchema,
} from "../../gen/envoy/envoy/extensions/filters/http/fault/v3/fault_pb.js";
import { PreviousHostsPredicateSchema } from "../../gen/envoy/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.js";
import type { CallerRule } from "../../mesh/caller.ts";
import type {
	Action,
	AffinityKey,
	Branch,
	Cors,
	Fault,
	HttpMatch,
	Retries,
	Rewrite,
	Rule,
	Target,
} from "../../mesh/route.ts";
import type { StringMatch } from "../../mesh/string-match.ts";
import { defaults } from "./defaults.ts";
import { duration } from "./duration.ts";
import { type Packed, pack } from "./encode.ts";
import { filterNames } from "./filter-order.ts";
import { headerMutations } from "./header-mutations.ts";
import type { Init } from "./init.ts";
import { clusterNameOf, unresolvedCluster } from "./names.ts";
import { fractionalPercent } from "./percent.ts";
import { escapeRegex } from "./regex.ts";
import { retryOn } from "./retry-conditions.ts";
import { connectMatch, routeMatch } from "./route-match.ts";
import { stringMatcher } from "./string-matcher.ts";

/** An Envoy route, before encoding. */
export type RouteInit = Init<typeof RouteSchema>;

type RouteAction = Init<typeof RouteActionSchema>;
type RetryPolicy = Init<typeof RetryPolicySchema>;
type Forward = Extract<Action, { kind: "forward" }>;
type Redirect = Extract<Action, { kind: "redirect" }>;

/** The routes of one rule, one for each of its branches, in the order in which they are tried. */
export function routesOf({ rule, branches }: CallerRule): RouteInit[] {
	return branches.flatMap((branch) => {
		const route = (match: Init<typeof RouteMatchSchema>) => ({
			name: routeName(rule, branch),
			match,
			action: routeAction(rule.action, branch.http),
			...headerMutations(rule.headers),
			...perFilterConfig(rule, branch),
		});
		const plain = route(routeMatch(branch.http));
		return rule.action.kind === "forward" &&
			rule.action.upgrades.includes("connect")
			? [route(connectMatch(branch.http)), plain]
			: [plain];
	});
}

/** The route after all rules: the whole service. */
export function defaultRoute(cluster: string): RouteInit {
	return {
		name: "default",
		match: routeMatch(undefined),
		action: {
			case: "route",
			value: {
				clusterSpecifier: { case: "cluster", value: cluster },
				timeout: duration(defaults.requestTimeoutMs),
			},
		},
	};
}

/** Names the object and the entry of its `match`, for access logs and for people who read config dumps. */
function routeName(rule: Rule, branch: Branch): string {
	return `${rule.origin.namespace}/${rule.origin.name}/${branch.index}`;
}

function routeAction(
	action: Action,
	http: HttpMatch | undefined,
): NonNullable<RouteInit["action"]> {
	switch (action.kind) {
		case "forward":
			return { case: "route", value: forwardAction(action, http) };
		case "redirect":
			return { case: "redirect", value: redirectAction(action) };
		case "respond":
			return directResponse(action.status, action.body);
		case "unresolved":
			return directResponse(503, action.message);
	}
}

/** An answer that the proxy gives by itself. */
export function directResponse(
	status: number,
	text: string,
): NonNullable<RouteInit["action"]> {
	return {
		case: "directResponse",
		value: {
			status,
			...(text === ""
				? undefined
				: { body: { specifier: { case: "inlineString", value: text } } }),
		},
	};
}

function forwardAction(
	action: Forward,
	http: HttpMatch | undefined,
): RouteAction {
	const { affinity, mirrors, upgrades } = action;
	return {
		...clusterSpecifier(action.targets),
		...rewrite(action.rewrite, http?.path),
		timeout: duration(action.timeoutMs ?? defaults.requestTimeoutMs),
		...(action.idleTimeoutMs === undefined
			? undefined
			: { idleTimeout: duration(action.idleTimeoutMs) }),
		...(action.retries && { retryPolicy: retryPolicy(action.retries) }),
		...(affinity.length > 0
			? { hashPolicy: affinity.map(hashPolicy) }
			: undefined),
		...(mirrors.length > 0
			? {
					requestMirrorPolicies: mirrors.map((mirror) => ({
						cluster: clusterNameOf(mirror.cluster),
						runtimeFraction: {
							defaultValue: fractionalPercent(mirror.percent),
						},
					})),
				}
			: undefined),
		...(upgrades.length > 0
			? {
					upgradeConfigs: [
						{
							upgradeType: "websocket",
							enabled: upgrades.includes("websocket"),
						},
						...(upgrades.includes("connect")
							? [{ upgradeType: "CONNECT", enabled: true }]
							: []),
					],
				}
			: undefined),
	};
}

function clusterSpecifier(
	targets: readonly Target[],
): Pick<RouteAction, "clusterSpecifier"> {
	const [only] = targets;
	if (targets.length === 1 && only?.cluster && !only.headers) {
		return {
			clusterSpecifier: { case: "cluster", value: clusterNameOf(only.cluster) },
		};
	}
	return {
		clusterSpecifier: {
			case: "weightedClusters",
			value: { clusters: targets.map(clusterWeight) },
		},
	};
}

function clusterWeight(
	target: Target,
): Init<typeof WeightedCluster_ClusterWeightSchema> {
	return {
		name: target.cluster ? clusterNameOf(target.cluster) : unresolvedCluster,
		weight: target.weight,
		...headerMutations(target.headers),
	};
}

function rewrite(
	change: Rewrite | undefined,
	matched: StringMatch | undefined,
): Pick<
	RouteAction,
	"prefixRewrite" | "regexRewrite" | "hostRewriteSpecifier"
> {
	if (change === undefined) return {};
	return {
		...pathRewrite(change.path, matched),
		...(change.authority === undefined
			? undefined
			: {
					hostRewriteSpecifier: {
						case: "hostRewriteLiteral" as const,
						value: change.authority,
					},
				}),
	};
}

function pathRewrite(
	change: Rewrite["path"],
	matched: StringMatch | undefined,
): Pick<RouteAction, "prefixRewrite" | "regexRewrite"> {
	switch (change?.kind) {
		case undefined:
			return {};
		case "regex":
			return regexRewrite(change.pattern, change.replacement);
		case "full":
			return regexRewrite("^.*$", escapeSubstitution(change.path));
		case "prefix":
			return prefixRewrite(change.prefix, matched);
	}
}

/**
 * Replaces the matched prefix so that exactly one slash stands where the two
 * parts meet: Envoy's own prefix rewrite turns `/api` → `/` into `//x`, and
 * `/` → `/v2` into `/v2x`.
 */
function prefixRewrite(
	prefix: string,
	matched: StringMatch | undefined,
): Pick<RouteAction, "prefixRewrite" | "regexRewrite"> {
	const from =
		matched !== undefined &&
		!matched.not &&
		(matched.kind === "prefix" || matched.kind === "exact")
			? matched.value
			: "/";
	if (from.endsWith("/") && !prefix.endsWith("/")) {
		return { prefixRewrite: `${prefix}/` };
	}
	if (prefix.endsWith("/") && !from.endsWith("/")) {
		const fold = matched?.ignoreCase ? "(?i)" : "";
		return regexRewrite(
			`^${fold}${escapeRegex(from)}/?`,
			escapeSubstitution(prefix),
		);
	}
	return { prefixRewrite: prefix };
}

function regexRewrite(
	regex: string,
	substitution: string,
): Pick<RouteAction, "regexRewrite"> {
	return { regexRewrite: { pattern: { regex }, substitution } };
}

function escapeSubstitution(text: string): string {
	return text.replaceAll("\\", "\\\\");
}

/** What virtual hosts say about retries, for routes that say nothing. */
export const defaultRetryPolicy: RetryPolicy = {
	...retryOn(defaults.safeRetryOn),
	numRetries: defaults.retryAttempts,
	...otherHosts(),
};

function retryPolicy(retries: Retries): RetryPolicy {
	if (retries.attempts === 0) return { retryOn: "", numRetries: 0 };
	return {
		...retryOn(retries.on),
		numRetries: retries.attempts,
		...(retries.perTryTimeoutMs === undefined
			? undefined
			: { perTryTimeout: duration(retries.perTryTimeoutMs) }),
		...(retries.backoff === undefined
			? undefined
			: {
					retryBackOff: {
						baseInterval: duration(retries.backoff.baseMs),
						...(retries.backoff.maxMs === undefined
							? undefined
							: { maxInterval: duration(retries.backoff.maxMs) }),
					},
				}),
		...(retries.retryOtherHosts ? otherHosts() : undefined),
	};
}

function otherHosts(): Pick<
	RetryPolicy,
	"retryHostPredicate" | "hostSelectionRetryMaxAttempts"
> {
	return {
		retryHostPredicate: [
			{
				name: "envoy.retry_host_predicates.previous_hosts",
				configType: {
					case: "typedConfig",
					value: pack(PreviousHostsPredicateSchema, {}),
				},
			},
		],
		// An endpoint that fails at once is the least busy, so it is drawn again and again; drawing costs next to nothing.
		hostSelectionRetryMaxAttempts: 100n,
	};
}

function hashPolicy(
	key: AffinityKey,
): Init<typeof RouteAction_HashPolicySchema> {
	switch (key.kind) {
		case "header":
			return {
				policySpecifier: { case: "header", value: { headerName: key.name } },
			};
		case "cookie":
			return {
				policySpecifier: {
					case: "cookie",
					value: {
						name: key.name,
						...(key.ttlMs === undefined
							? undefined
							: { ttl: duration(key.ttlMs) }),
						...(key.path === undefined ? undefined : { path: key.path }),
					},
				},
			};
		case "query":
			return {
				policySpecifier: { case: "queryParameter", value: { name: key.name } },
			};
		case "sourceIP":
			return {
				policySpecifier: {
					case: "connectionProperties",
					value: { sourceIp: true },
				},
			};
	}
}

const redirectCodes: { readonly [C in Redirect["code"]]: RedirectCode } = {
	301: RedirectCode.MOVED_PERMANENTLY,
	302: RedirectCode.FOUND,
	303: RedirectCode.SEE_OTHER,
	307: RedirectCode.TEMPORARY_REDIRECT,
	308: RedirectCode.PERMANENT_REDIRECT,
};

function redirectAction(redirect: Redirect): Init<typeof RedirectActionSchema> {
	const { scheme, authority, port, path } = redirect;
	return {
		responseCode: redirectCodes[redirect.code],
		...(scheme === undefined
			? undefined
			: {
					schemeRewriteSpecifier: {
						case: "schemeRedirect" as const,
						value: scheme,
					},
				}),
		...(authority === undefined ? undefined : { hostRedirect: authority }),
		...(port === undefined ? undefined : { portRedirect: port }),
		...(path === undefined
			? undefined
			: {
					pathRewriteSpecifier:
						path.kind === "full"
							? { case: "pathRedirect" as const, value: path.path }
							: { case: "prefixRewrite" as const, value: path.prefix },
				}),
	};
}

function perFilterConfig(
	rule: Rule,
	branch: Branch,
): Pick<RouteInit, "typedPerFilterConfig"> {
	const fault = branch.fault ?? rule.fault;
	if (fault === undefined && rule.cors === undefined) return {};
	return {
		typedPerFilterConfig: {
			...(fault && { [filterNames.fault]: faultConfig(fault) }),
			...(rule.cors && { [filterNames.cors]: corsConfig(rule.cors) }),
		},
	};
}

function faultConfig(fault: Fault): Packed {
	const delay: Init<typeof FaultDelaySchema> | undefined = fault.delay && {
		faultDelaySecifier: {
			case: "fixedDelay",
			value: duration(fault.delay.durationMs),
		},
		percentage: fractionalPercent(fault.delay.percent),
	};
	const abort: Init<typeof FaultAbortSchema> | undefined = fault.abort && {
		errorType: {
			case: fault.abort.status.kind === "http" ? "httpStatus" : "grpcStatus",
			value: fault.abort.status.code,
		},
		percentage: fractionalPercent(fault.abort.percent),
	};
	return pack(HTTPFaultSchema, {
		...(delay && { delay }),
		...(abort && { abort }),
	});
}

function corsConfig(cors: Cors): Packed {
	return pack(CorsPolicySchema, {
		allowOriginStringMatch: cors.allowOrigins.map(stringMatcher),
		...list("allowMethods", cors.allowMethods),
		...list("allowHeaders", cors.allowHeaders),
		...list("exposeHeaders", cors.exposeHeaders),
		...(cors.maxAgeMs === undefined
			? undefined
			: { maxAge: String(Math.floor(cors.maxAgeMs / 1000)) }),
		allowCredentials: cors.allowCredentials,
	});
}

function list<Name extends string>(
	name: Name,
	values: readonly string[],
): { readonly [N in Name]?: string } {
	// A computed key loses its literal type, so the shape is stated here once.
	return (values.length > 0 ? { [name]: values.join(", ") } : {}) as {
		[N in Name]?: string;
	};
}

/** Names of the clusters that rules send requests to. */
export function clustersOf(rules: readonly CallerRule[]): readonly string[] {
	return rules.flatMap(({ rule: { action } }) =>
		action.kind === "forward"
			? [...action.targets, ...action.mirrors].flatMap(({ cluster }) =>
					cluster ? [clusterNameOf(cluster)] : [],
				)
			: [],
	);
}

/** Who is told when a proxy rejects what was made of these rules. */
export function originsOf(rules: readonly CallerRule[]): Rule["origin"][] {
	const seen = new Map<string, Rule["origin"]>();
	for (const { rule } of rules) seen.set(printRef(rule.origin), rule.origin);
	return [...seen.values()];
}
