import { checkDuration } from "./check-duration.ts";
import {
	checkHeaderName,
	hasControlCharacter,
	isToken,
} from "./check-header.ts";
import { checkHeaderRules } from "./check-header-rules.ts";
import { checkLabelKeys } from "./check-labels.ts";
import { checkRequestMatch } from "./check-request-match.ts";
import { checkRedirect, checkRewrite } from "./check-rewrite.ts";
import { checkStringMatch } from "./check-string-match.ts";
import { each } from "./each.ts";
import type { FieldPath } from "./field-path.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";
import type {
	Affinity,
	Cors,
	Destination,
	Fault,
	Labels,
	Respond,
	Retries,
	RouteRuleSpec,
} from "./route-rule.ts";
import { stringTestsOf } from "./string-test.ts";
import { utf8Length } from "./utf8-length.ts";

const SPEC: FieldPath = ["spec"];

/**
 * Reports what schema and CEL cannot say about a RouteRule: above all what
 * Envoy would refuse, and what could never have an effect.
 */
export function checkRouteRule(
	spec: Partial<RouteRuleSpec>,
	report: Report,
): void {
	checkDestination(spec.destination, [...SPEC, "destination"], report);
	each(spec.match, [...SPEC, "match"], (match, path) => {
		checkRequestMatch(match, path, report);
		if (match.fault) checkFault(match.fault, [...path, "fault"], report);
	});
	each(spec.route, [...SPEC, "route"], (target, path) => {
		checkTarget(target, path, report);
		if (target.headers) {
			checkHeaderRules(target.headers, [...path, "headers"], report);
		}
	});
	each(spec.mirror, [...SPEC, "mirror"], (mirror, path) =>
		checkTarget(mirror, path, report),
	);
	checkPrefixes(spec, report);
	if (spec.redirect) {
		checkRedirect(spec.redirect, [...SPEC, "redirect"], report);
	}
	if (spec.rewrite) checkRewrite(spec.rewrite, [...SPEC, "rewrite"], report);
	if (spec.respond) checkRespond(spec.respond, [...SPEC, "respond"], report);
	for (const field of ["timeout", "idleTimeout"] as const) {
		const text = spec[field];
		if (text !== undefined) checkDuration(text, [...SPEC, field], {}, report);
	}
	if (spec.retries) checkRetries(spec.retries, [...SPEC, "retries"], report);
	if (spec.fault) checkFault(spec.fault, [...SPEC, "fault"], report);
	if (spec.cors) checkCors(spec.cors, [...SPEC, "cors"], report);
	if (spec.headers) {
		checkHeaderRules(spec.headers, [...SPEC, "headers"], report);
	}
	if (spec.affinity) {
		checkAffinity(spec.affinity, [...SPEC, "affinity"], report);
	}
}

function checkTarget(
	target: { readonly destination?: Destination; readonly labels?: Labels },
	path: FieldPath,
	report: Report,
): void {
	checkDestination(target.destination, [...path, "destination"], report);
	if (target.labels) checkLabelKeys(target.labels, [...path, "labels"], report);
}

function checkDestination(
	destination: Destination | undefined,
	path: FieldPath,
	report: Report,
): void {
	const port = destination?.port;
	if (typeof port !== "string") return;
	if (/^\d+$/.test(port)) {
		report(
			[...path, "port"],
			`In quotes, ${printValue(port)} is the name of a port and not its number. Remove the quotes.`,
		);
	} else if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(port)) {
		report(
			[...path, "port"],
			`${printValue(port)} is not the name of a port. Use lower-case letters, digits and "-", or write the number.`,
		);
	}
}

/** A prefix can only be replaced where one was matched. */
function checkPrefixes(spec: Partial<RouteRuleSpec>, report: Report): void {
	const field =
		spec.rewrite?.prefix !== undefined
			? "rewrite.prefix"
			: spec.redirect?.prefix !== undefined
				? "redirect.prefix"
				: undefined;
	if (field === undefined) return;
	each(spec.match, [...SPEC, "match"], ({ path }, at) => {
		if (path === undefined) return;
		const isNegated = typeof path === "object" && path.not === true;
		const kinds = stringTestsOf(path, at).map(({ kind }) => kind);
		const hasPrefix = kinds.every(
			(kind) => kind === "prefix" || kind === "exact",
		);
		if (hasPrefix && !isNegated) return;
		report(
			[...at, "path"],
			`This does not match a prefix, so ${field} has nothing to replace. Match a prefix or an exact path, or use path or regex to write the new one.`,
		);
	});
}

function checkRespond(respond: Respond, path: FieldPath, report: Report): void {
	const { body, status } = respond;
	if (body === undefined) return;
	const bytes = utf8Length(body);
	if (bytes > 4096) {
		report(
			[...path, "body"],
			`The body takes ${bytes} bytes in UTF-8, and Envoy sends at most 4096. Shorten it.`,
		);
	}
	if (body !== "" && (status === 204 || status === 304)) {
		report(
			[...path, "body"],
			`A response with status ${status} has no body. Remove body, or use another status.`,
		);
	}
}

function checkRetries(retries: Retries, path: FieldPath, report: Report): void {
	const { perTryTimeout, backoff } = retries;
	if (perTryTimeout !== undefined) {
		checkDuration(perTryTimeout, [...path, "perTryTimeout"], {}, report);
	}
	if (backoff === undefined) return;
	const at = [...path, "backoff"];
	const positive = { positive: true };
	const baseMs = checkDuration(backoff.base, [...at, "base"], positive, report);
	if (backoff.max === undefined) return;
	const maxMs = checkDuration(backoff.max, [...at, "max"], positive, report);
	if (baseMs !== undefined && maxMs !== undefined && maxMs < baseMs) {
		report(
			[...at, "max"],
			`The longest wait (${backoff.max}) is shorter than the first one (${backoff.base}). Raise max, or lower base.`,
		);
	}
}

function checkFault(fault: Fault, path: FieldPath, report: Report): void {
	const duration = fault.delay?.duration;
	if (duration === undefined) return;
	const at = [...path, "delay", "duration"];
	checkDuration(duration, at, { positive: true }, report);
}

function checkCors(cors: Cors, path: FieldPath, report: Report): void {
	each(cors.allowOrigins, [...path, "allowOrigins"], (origin, at) => {
		const tests = checkStringMatch(origin, at, report);
		if (typeof origin === "object") checkOriginMatch(origin, at, report);
		for (const { kind, text, path: textAt } of tests) {
			if (kind === "exact") checkOrigin(text, textAt, cors, report);
		}
	});
	each(cors.methods, [...path, "methods"], (method, at) => {
		if (isToken(method)) return;
		report(
			at,
			`${printValue(method)} is not a method. Write one such as "GET", or "*" for all.`,
		);
	});
	for (const field of ["headers", "exposeHeaders"] as const) {
		each(cors[field], [...path, field], (name, at) =>
			checkHeaderName(name, at, report),
		);
	}
	if (cors.maxAge !== undefined) {
		const limits = { wholeSeconds: true };
		checkDuration(cors.maxAge, [...path, "maxAge"], limits, report);
	}
}

function checkOriginMatch(
	origin: Exclude<Cors["allowOrigins"][number], string>,
	path: FieldPath,
	report: Report,
): void {
	for (const field of ["present", "not"] as const) {
		if (origin[field] === undefined) continue;
		report(
			[...path, field],
			`Origins are allowed by what they are, so ${field} cannot be used here. Compare the origin, or write "*" for every origin.`,
		);
	}
}

function checkOrigin(
	origin: string,
	path: FieldPath,
	cors: Cors,
	report: Report,
): void {
	if (origin === "*" && cors.credentials) {
		report(
			path,
			"With credentials, every site could act in the name of its visitors. List the origins, or set credentials to false.",
		);
	} else if (origin === "*" && cors.allowOrigins.length > 1) {
		report(
			path,
			"Every origin is allowed, so the other entries have no effect. Remove them, or remove this one.",
		);
	} else if (
		origin !== "*" &&
		origin !== "null" &&
		!/^[a-zA-Z][a-zA-Z0-9+.-]*:\/\/[^/\s]+$/.test(origin)
	) {
		report(
			path,
			`${printValue(origin)} is not an origin. Write scheme, host and port without a path, such as "https://shop.example.com".`,
		);
	}
}

function checkAffinity(
	affinity: Affinity,
	path: FieldPath,
	report: Report,
): void {
	const { header, cookie } = affinity;
	if (header !== undefined) {
		checkHeaderName(header, [...path, "header"], report);
	}
	if (cookie === undefined) return;
	const at = [...path, "cookie"];
	if (!isToken(cookie.name)) {
		report(
			[...at, "name"],
			`${printValue(cookie.name)} is not the name of a cookie. Use letters, digits, "-" and "_".`,
		);
	}
	if (cookie.ttl !== undefined) {
		const limits = { wholeSeconds: true };
		checkDuration(cookie.ttl, [...at, "ttl"], limits, report);
	}
	const { path: cookiePath } = cookie;
	if (cookiePath === undefined) return;
	if (
		!cookiePath.startsWith("/") ||
		/[;\s]/.test(cookiePath) ||
		hasControlCharacter(cookiePath)
	) {
		report(
			[...at, "path"],
			`${printValue(cookiePath)} is not the path of a cookie. Begin with "/", and leave out spaces and ";".`,
		);
	} else if (cookie.ttl === undefined) {
		report(
			[...at, "path"],
			"Without ttl the proxy sets no cookie, so path has no effect. Set ttl, or remove path.",
		);
	}
}
