import type { QueryParameterMatcher } from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { Condition } from "./condition.ts";
import { describeStringMatch, stringMatches } from "./match-string.ts";

/** Whether the request has the query parameter that a route asks for; of several with one name, the first counts. */
export function matchQuery(
	matcher: QueryParameterMatcher,
	path: string,
): Condition {
	const has = parameterOf(path, matcher.name);
	const subject = `query parameter ${matcher.name}`;
	const specifier = matcher.queryParameterMatchSpecifier;
	switch (specifier.case) {
		case "presentMatch":
			return {
				asks: `${subject} is ${specifier.value ? "there" : "not there"}`,
				has,
				holds: (has !== undefined) === specifier.value,
			};
		case "stringMatch":
			return {
				asks: `${subject} ${describeStringMatch(specifier.value)}`,
				has,
				holds: has !== undefined && stringMatches(specifier.value, has),
			};
		case undefined:
			return { asks: `${subject} is there`, has, holds: has !== undefined };
	}
}

/** Not decoded: Envoy compares what stands in the URL. */
function parameterOf(path: string, name: string): string | undefined {
	const question = path.indexOf("?");
	if (question < 0) return undefined;
	for (const pair of path.slice(question + 1).split("&")) {
		const equals = pair.indexOf("=");
		const key = equals < 0 ? pair : pair.slice(0, equals);
		if (key === name) return equals < 0 ? "" : pair.slice(equals + 1);
	}
	return undefined;
}
