import { checkHeaderName, checkSameHeaders, isToken } from "./check-header.ts";
import { checkLabelKeys } from "./check-labels.ts";
import { checkNotPresence, checkStringMatch } from "./check-string-match.ts";
import { each } from "./each.ts";
import type { FieldPath } from "./field-path.ts";
import { isSubnet } from "./ip-address.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";
import type {
	IdentityMatch,
	RouteMatch,
	StringMatch,
	TcpMatch,
} from "./route-rule.ts";

/** Reports what is wrong with the conditions of one entry of `match`. */
export function checkRequestMatch(
	match: RouteMatch,
	path: FieldPath,
	report: Report,
): void {
	const { source, tcp } = match;
	if (source?.labels !== undefined) {
		checkLabelKeys(source.labels, [...path, "source", "labels"], report);
	}
	if (source?.identity !== undefined) {
		checkIdentity(source.identity, [...path, "source", "identity"], report);
	}
	if (tcp !== undefined) {
		checkTcp(match, tcp, path, report);
		return;
	}
	if (match.path !== undefined) {
		checkPath(match.path, [...path, "path"], report);
	}
	if (match.method !== undefined) {
		checkMethod(match.method, [...path, "method"], report);
	}
	if (match.scheme !== undefined) {
		checkScheme(match.scheme, [...path, "scheme"], report);
	}
	if (match.authority !== undefined) {
		checkStringMatch(match.authority, [...path, "authority"], report);
		checkNotPresence(match.authority, [...path, "authority"], report);
	}
	checkHeaders(match.headers ?? {}, [...path, "headers"], report);
	checkQuery(match.query ?? {}, [...path, "query"], report);
}

function checkIdentity(
	identity: IdentityMatch,
	path: FieldPath,
	report: Report,
): void {
	const [text, at] =
		typeof identity === "string"
			? [identity, path]
			: identity.exact !== undefined
				? [identity.exact, [...path, "exact"]]
				: [identity.prefix ?? "spiffe://", [...path, "prefix"]];
	if (text.startsWith("spiffe://")) return;
	report(
		at,
		`${printValue(text)} is not a SPIFFE ID. Write one such as "spiffe://cluster.local/ns/default/sa/web".`,
	);
}

const HTTP_FIELDS = [
	"path",
	"method",
	"scheme",
	"authority",
	"headers",
	"query",
	"fault",
] as const;

function checkTcp(
	match: RouteMatch,
	tcp: TcpMatch,
	path: FieldPath,
	report: Report,
): void {
	for (const field of HTTP_FIELDS) {
		if (match[field] === undefined) continue;
		report(
			[...path, field],
			`An entry with tcp is about connections and not about requests. Remove ${field}, or remove tcp.`,
		);
	}
	for (const field of ["sourceSubnets", "destinationSubnets"] as const) {
		each(tcp[field], [...path, "tcp", field], (subnet, at) => {
			if (isSubnet(subnet)) return;
			report(
				at,
				`${printValue(subnet)} is neither a CIDR nor an address. Write one such as "10.1.0.0/16" or "10.1.2.3".`,
			);
		});
	}
}

function checkPath(match: StringMatch, path: FieldPath, report: Report): void {
	checkNotPresence(match, path, report);
	for (const { kind, text, path: at } of checkStringMatch(
		match,
		path,
		report,
	)) {
		if (kind === "regex") continue;
		if ((kind === "exact" || kind === "prefix") && !text.startsWith("/")) {
			report(
				at,
				`Paths begin with "/", so ${printValue(text)} never matches. Write ${printValue(`/${text}`)}.`,
			);
		} else if (/[?#]/.test(text)) {
			report(
				at,
				"Paths are compared without the query. Remove what comes from ? or # on, and use query.",
			);
		}
	}
}

const METHODS: ReadonlySet<string> = new Set([
	"CONNECT",
	"DELETE",
	"GET",
	"HEAD",
	"OPTIONS",
	"PATCH",
	"POST",
	"PUT",
	"TRACE",
]);

function checkMethod(
	match: StringMatch,
	path: FieldPath,
	report: Report,
): void {
	checkNotPresence(match, path, report);
	const ignoresCase = typeof match === "object" && match.ignoreCase === true;
	for (const { kind, text, path: at } of checkStringMatch(
		match,
		path,
		report,
	)) {
		if (kind !== "exact") continue;
		const upper = text.toUpperCase();
		if (!isToken(text)) {
			report(
				at,
				`${printValue(text)} is not a method. Write one such as "GET".`,
			);
		} else if (!ignoresCase && text !== upper && METHODS.has(upper)) {
			report(
				at,
				`Methods are compared with case, so ${printValue(text)} never matches. Write ${printValue(upper)}.`,
			);
		}
	}
}

function checkScheme(
	match: StringMatch,
	path: FieldPath,
	report: Report,
): void {
	checkNotPresence(match, path, report);
	for (const { kind, text, path: at } of checkStringMatch(
		match,
		path,
		report,
	)) {
		if (kind !== "exact" || text === "http" || text === "https") continue;
		report(
			at,
			`The scheme of a request is http or https, so ${printValue(text)} never matches. Write one of them.`,
		);
	}
}

function checkHeaders(
	headers: Readonly<Record<string, StringMatch>>,
	path: FieldPath,
	report: Report,
): void {
	for (const [name, match] of Object.entries(headers)) {
		const at = [...path, { key: name }];
		if (name.toLowerCase() === "host") {
			report(at, "The Host header is matched by authority. Use that.");
		} else {
			checkHeaderName(name, at, report);
		}
		checkStringMatch(match, at, report);
	}
	checkSameHeaders(
		Object.keys(headers),
		(name) => [...path, { key: name }],
		report,
	);
}

function checkQuery(
	query: Readonly<Record<string, StringMatch>>,
	path: FieldPath,
	report: Report,
): void {
	for (const [name, match] of Object.entries(query)) {
		const at = [...path, { key: name }];
		if (name === "") {
			report(at, "The name of the query parameter is empty. Write one.");
		} else if (name.length > 256) {
			report(
				at,
				"The name of the query parameter is longer than 256 characters. Shorten it.",
			);
		}
		checkStringMatch(match, at, report);
	}
}
