import type { StringMatcher } from "../../gen/envoy/envoy/type/matcher/v3/string_pb.js";
import { regexMatches } from "./regex.ts";

/** True when the text is what the matcher asks for. Throws an Error for a form that no resource of ours has. */
export function stringMatches(matcher: StringMatcher, text: string): boolean {
	const fold = (value: string) =>
		matcher.ignoreCase ? lowerAscii(value) : value;
	const { matchPattern } = matcher;
	const given = fold(text);
	switch (matchPattern.case) {
		case "exact":
			return given === fold(matchPattern.value);
		case "prefix":
			return given.startsWith(fold(matchPattern.value));
		case "suffix":
			return given.endsWith(fold(matchPattern.value));
		case "contains":
			return given.includes(fold(matchPattern.value));
		case "safeRegex":
			return regexMatches(matchPattern.value.regex, text);
		case "custom":
		case undefined:
			throw new Error(`a string match cannot be ${matchPattern.case}`);
	}
}

/** What the matcher asks for, as the end of a clause: `is "jason"`, or turned round: `is not "jason"`. */
export function describeStringMatch(
	matcher: StringMatcher,
	not = false,
): string {
	const { matchPattern } = matcher;
	const fold = matcher.ignoreCase ? " in any case" : "";
	switch (matchPattern.case) {
		case "exact":
			return `${not ? "is not" : "is"} ${quote(matchPattern.value)}${fold}`;
		case "prefix":
			return `${not ? "does not begin" : "begins"} with ${quote(matchPattern.value)}${fold}`;
		case "suffix":
			return `${not ? "does not end" : "ends"} with ${quote(matchPattern.value)}${fold}`;
		case "contains":
			return `${not ? "does not contain" : "contains"} ${quote(matchPattern.value)}${fold}`;
		case "safeRegex":
			return `${not ? "does not match" : "matches"} the regex ${matchPattern.value.regex}`;
		case "custom":
		case undefined:
			return `${not ? "is not" : "is"} what an extension asks for`;
	}
}

/** The text as it stands in a sentence. */
export function quote(text: string): string {
	return JSON.stringify(text);
}

/** Lower case as Envoy makes it: letters of ASCII only. */
export function lowerAscii(text: string): string {
	return text.replaceAll(/[A-Z]+/g, (letters) => letters.toLowerCase());
}
