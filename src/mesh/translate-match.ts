import { parseDuration } from "../api/duration.ts";
import { compareText } from "../api/object-ref.ts";
import type * as api from "../api/route-rule.ts";
import type { Fault, HttpMatch, SourceMatch, TcpMatch } from "./route.ts";
import type { Hostname } from "./service.ts";
import type { StringMatch } from "./string-match.ts";

/** A string match as a RouteRule writes it; a bare string means exact. */
export function translateStringMatch(
	match: api.StringMatch | api.IdentityMatch,
): StringMatch {
	if (typeof match === "string") {
		return { kind: "exact", value: match, not: false, ignoreCase: false };
	}
	const written: Exclude<api.StringMatch, string> = match;
	const not = written.not === true;
	const ignoreCase = written.ignoreCase === true;
	for (const kind of valueKinds) {
		const value = written[kind];
		if (value !== undefined) return { kind, value, not, ignoreCase };
	}
	return {
		kind: "present",
		value: "",
		not: not !== (written.present === false),
		ignoreCase: false,
	};
}

const valueKinds = ["exact", "prefix", "suffix", "contains", "regex"] as const;

/** What an entry of `match` asks of a request; undefined when it asks nothing. */
export function translateHttpMatch(
	match: api.RouteMatch,
): HttpMatch | undefined {
	const { path, method, scheme, authority } = match;
	const headers = translateNamed(match.headers, (name) => name.toLowerCase());
	const query = translateNamed(match.query, (name) => name);
	const asksNothing =
		path === undefined &&
		method === undefined &&
		scheme === undefined &&
		authority === undefined &&
		headers.length === 0 &&
		query.length === 0;
	if (asksNothing) return undefined;
	return {
		...(path !== undefined && { path: translateStringMatch(path) }),
		...(method !== undefined && { method: translateStringMatch(method) }),
		...(scheme !== undefined && { scheme: translateStringMatch(scheme) }),
		...(authority !== undefined && {
			authority: translateStringMatch(authority),
		}),
		headers,
		query,
	};
}

/** What an entry of `match` asks of a connection; undefined when it asks nothing. */
export function translateTcpMatch(match: api.RouteMatch): TcpMatch | undefined {
	const { tcp } = match;
	if (tcp === undefined) return undefined;
	return {
		sourceSubnets: tcp.sourceSubnets ?? [],
		destinationSubnets: tcp.destinationSubnets ?? [],
		sni: (tcp.sni ?? []).map((name) => name.toLowerCase()),
	};
}

/** @param service Hostname of the Service that `source.name` means. */
export function translateSource(
	source: api.SourceMatch,
	service: Hostname | undefined,
): SourceMatch {
	return {
		...(service !== undefined && { service }),
		...(source.namespace !== undefined && { namespace: source.namespace }),
		labels: source.labels ?? {},
		...(source.identity !== undefined && {
			identity: translateStringMatch(source.identity),
		}),
	};
}

/** Faults as a RouteRule writes them. */
export function translateFault(fault: api.Fault): Fault {
	const { delay, abort } = fault;
	return {
		...(delay !== undefined && {
			delay: {
				percent: delay.percent,
				durationMs: durationMs(delay.duration),
			},
		}),
		...(abort !== undefined && {
			abort: {
				percent: abort.percent,
				status:
					abort.grpcStatus === undefined
						? { kind: "http", code: abort.httpStatus ?? 503 }
						: { kind: "grpc", code: abort.grpcStatus },
			},
		}),
	};
}

/** Milliseconds of a duration that validation has accepted. */
export function durationMs(text: string): number {
	const ms = parseDuration(text);
	if (ms === undefined) throw new Error(`not a duration: ${text}`);
	return ms;
}

function translateNamed(
	matches: { readonly [name: string]: api.StringMatch } | undefined,
	nameOf: (name: string) => string,
): readonly (readonly [string, StringMatch])[] {
	return Object.entries(matches ?? {})
		.map(([name, match]): readonly [string, StringMatch] => [
			nameOf(name),
			translateStringMatch(match),
		])
		.sort(([a], [b]) => compareText(a, b));
}
