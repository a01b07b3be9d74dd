import type { StringMatcherSchema } from "../../gen/envoy/envoy/type/matcher/v3/string_pb.js";
import type { StringMatch } from "../../mesh/string-match.ts";
import type { Init } from "./init.ts";

/** Envoy's form of a string match; `not` and `present` have no place in it and are the caller's. */
export function stringMatcher(
	match: StringMatch,
): Init<typeof StringMatcherSchema> {
	const { kind, value } = match;
	switch (kind) {
		case "regex":
			return {
				matchPattern: { case: "safeRegex", value: { regex: value } },
			};
		case "present":
			return { matchPattern: { case: "safeRegex", value: { regex: ".*" } } };
		default:
			// Envoy refuses an empty prefix, suffix or part; each matches everything.
			if (value === "" && kind !== "exact") {
				return { matchPattern: { case: "safeRegex", value: { regex: ".*" } } };
			}
			return {
				matchPattern: { case: kind, value },
				ignoreCase: match.ignoreCase,
			};
	}
}
