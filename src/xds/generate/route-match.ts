import type {
	HeaderMatcherSchema,
	RouteMatchSchema,
} from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { HttpMatch } from "../../mesh/route.ts";
import type { StringMatch } from "../../mesh/string-match.ts";
import type { Init } from "./init.ts";
import { matchAsRegex } from "./regex.ts";
import { stringMatcher } from "./string-matcher.ts";

type RouteMatch = Init<typeof RouteMatchSchema>;
type HeaderMatcher = Init<typeof HeaderMatcherSchema>;
type QueryMatchers = NonNullable<RouteMatch["queryParameters"]>;

/** Takes every request. */
export const matchesAll: RouteMatch = {
	pathSpecifier: { case: "prefix", value: "/" },
};

/** Takes CONNECT requests, which no path matches. */
export const matchesConnect: RouteMatch = {
	pathSpecifier: { case: "connectMatcher", value: {} },
};

/**
 * Envoy's form of an HTTP match.
 *
 * Envoy can turn round the answer for headers only, so a path or query that must
 * not match becomes a test on the `:path` header, which holds both.
 */
export function routeMatch(http: HttpMatch | undefined): RouteMatch {
	if (http === undefined) return matchesAll;
	const headers: HeaderMatcher[] = [];
	const queryParameters: QueryMatchers[number][] = [];
	if (http.method) headers.push(headerMatcher(":method", http.method));
	if (http.scheme) headers.push(headerMatcher(":scheme", http.scheme));
	if (http.authority) headers.push(authorityMatcher(http.authority));
	for (const [name, match] of http.headers) {
		headers.push(headerMatcher(name.toLowerCase(), match));
	}
	for (const [name, match] of http.query) {
		if (match.not) headers.push(queryIsNot(name, match));
		else queryParameters.push(queryMatcher(name, match));
	}
	const path = http.path;
	if (path?.not) headers.push(pathIsNot(path));
	const base = path === undefined || path.not ? matchesAll : pathMatch(path);
	return {
		...base,
		...(headers.length > 0 ? { headers } : undefined),
		...(queryParameters.length > 0 ? { queryParameters } : undefined),
	};
}

/** The match with CONNECT in the place of its path. */
export function connectMatch(http: HttpMatch | undefined): RouteMatch {
	return { ...routeMatch(http), ...matchesConnect };
}

function pathMatch(path: StringMatch): RouteMatch {
	const caseSensitive = path.ignoreCase ? { caseSensitive: false } : undefined;
	switch (path.kind) {
		case "exact":
			return {
				pathSpecifier: { case: "path", value: path.value },
				...caseSensitive,
			};
		case "prefix":
			return {
				pathSpecifier: { case: "prefix", value: path.value },
				...caseSensitive,
			};
		case "present":
			return matchesAll;
		default:
			return {
				pathSpecifier: {
					case: "safeRegex",
					value: { regex: matchAsRegex(path, ".") },
				},
			};
	}
}

function headerMatcher(name: string, match: StringMatch): HeaderMatcher {
	if (match.kind === "present") {
		return {
			name,
			headerMatchSpecifier: { case: "presentMatch", value: true },
			invertMatch: match.not,
		};
	}
	return {
		name,
		headerMatchSpecifier: {
			case: "stringMatch",
			value: stringMatcher(match),
		},
		// A request without the header does not have the value, but Envoy says "no match" to both.
		...(match.not
			? { invertMatch: true, treatMissingHeaderAsEmpty: true }
			: undefined),
	};
}

/** The authority may carry a port, which people leave out of their rules; hosts know no case. */
function authorityMatcher(match: StringMatch): HeaderMatcher {
	if (match.kind === "present") return headerMatcher(":authority", match);
	const host = matchAsRegex({ ...match, ignoreCase: true }, ".");
	return headerIs(":authority", `${host}(?::[0-9]+)?`, match.not);
}

function pathIsNot(match: StringMatch): HeaderMatcher {
	const path = matchAsRegex(match, "[^?]");
	return headerIs(":path", `${path}(?:\\?.*)?`, true);
}

function queryIsNot(name: string, match: StringMatch): HeaderMatcher {
	const key = matchAsRegex(
		{ ...match, kind: "exact", value: name, ignoreCase: false },
		"",
	);
	const value =
		match.kind === "present"
			? "(?:=[^&]*)?"
			: `=${matchAsRegex(match, "[^&]")}`;
	return headerIs(":path", `[^?]*\\?(?:.*&)?${key}${value}(?:&.*)?`, true);
}

function headerIs(name: string, regex: string, not: boolean): HeaderMatcher {
	return {
		name,
		headerMatchSpecifier: {
			case: "stringMatch",
			value: { matchPattern: { case: "safeRegex", value: { regex } } },
		},
		...(not ? { invertMatch: true } : undefined),
	};
}

function queryMatcher(name: string, match: StringMatch): QueryMatchers[number] {
	return match.kind === "present"
		? {
				name,
				queryParameterMatchSpecifier: { case: "presentMatch", value: true },
			}
		: {
				name,
				queryParameterMatchSpecifier: {
					case: "stringMatch",
					value: stringMatcher(match),
				},
			};
}
