import type { RouteMatch } from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { Condition } from "./condition.ts";
import { type HttpRequest, pathOnly } from "./http-request.ts";
import { lowerAscii, quote } from "./match-string.ts";
import { regexMatches } from "./regex.ts";

/** Whether the request has the path that a route asks for. Throws an Error for a form that no resource of ours has. */
export function matchPath(match: RouteMatch, request: HttpRequest): Condition {
	const specifier = match.pathSpecifier;
	if (specifier.case === "connectMatcher") {
		return {
			asks: "the method is CONNECT",
			has: request.method,
			holds: request.method === "CONNECT",
		};
	}
	const path = request.path === "" ? undefined : pathOnly(request.path);
	const fold = match.caseSensitive === false;
	const anyCase = fold ? " in any case" : "";
	const letters = (text: string) => (fold ? lowerAscii(text) : text);
	const condition = (asks: string, holds: (path: string) => boolean) => ({
		asks: `the path ${asks}`,
		has: path,
		holds: path !== undefined && holds(path),
	});
	switch (specifier.case) {
		case "prefix":
			return condition(
				`begins with ${quote(specifier.value)}${anyCase}`,
				(has) => letters(has).startsWith(letters(specifier.value)),
			);
		case "path":
			return condition(
				`is ${quote(specifier.value)}${anyCase}`,
				(has) => letters(has) === letters(specifier.value),
			);
		case "safeRegex":
			return condition(`matches the regex ${specifier.value.regex}`, (has) =>
				regexMatches(specifier.value.regex, has),
			);
		case "pathSeparatedPrefix":
		case "pathMatchPolicy":
		case undefined:
			throw new Error(`a path cannot be matched by ${specifier.case}`);
	}
}
