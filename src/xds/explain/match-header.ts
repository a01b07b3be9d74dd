import type { HeaderMatcher } from "../../gen/envoy/envoy/config/route/v3/route_components_pb.js";
import type { Condition } from "./condition.ts";
import { type HttpRequest, headerOf, headerValues } from "./http-request.ts";
import { describeStringMatch, stringMatches } from "./match-string.ts";

/** Whether the request has the header that a route asks for. */
export function matchHeader(
	matcher: HeaderMatcher,
	request: HttpRequest,
): Condition {
	const { name, invertMatch, treatMissingHeaderAsEmpty } = matcher;
	const has = headerOf(request, name);
	const specifier = matcher.headerMatchSpecifier;
	const subject = subjects[name] ?? `header ${name}`;
	if (specifier.case === "presentMatch") {
		const present = specifier.value !== invertMatch;
		return {
			asks: `${subject} is ${present ? "there" : "not there"}`,
			has,
			holds: (has !== undefined) === present,
		};
	}
	if (specifier.case !== "stringMatch")
		throw new Error(`a header match cannot be ${specifier.case}`);
	const given = headerValues(request, name);
	const values = given.length === 0 && treatMissingHeaderAsEmpty ? [""] : given;
	return {
		asks: `${subject} ${describeStringMatch(specifier.value, invertMatch)}`,
		has,
		// A header that is missing has no value that could be another one; of several values, one is enough.
		holds:
			values.length > 0 &&
			values.some((value) => stringMatches(specifier.value, value)) !==
				invertMatch,
	};
}

const subjects: Readonly<Record<string, string>> = {
	":method": "the method",
	":scheme": "the scheme",
	":authority": "the authority",
	":path": "the path with its query",
};
