import type { StringMatch } from "../../mesh/string-match.ts";

/** The text as a regex that matches exactly that text (RE2 syntax). */
export function escapeRegex(text: string): string {
	return text.replace(/[\\^$.|?*+()[\]{}/-]/g, (c) =>
		c === "/" || c === "-" ? c : `\\${c}`,
	);
}

/**
 * The match as a regex for the whole string, for places where Envoy takes
 * nothing else. `any` is a regex for "any character of the string".
 */
export function matchAsRegex(match: StringMatch, any: string): string {
	const value = escapeRegex(match.value);
	const fold = match.ignoreCase ? "(?i:" : "(?:";
	switch (match.kind) {
		case "exact":
			return `${fold}${value})`;
		case "prefix":
			return `${fold}${value})${any}*`;
		case "suffix":
			return `${any}*${fold}${value})`;
		case "contains":
			return `${any}*${fold}${value})${any}*`;
		case "regex":
			return `(?:${match.value})`;
		case "present":
			return `${any}*`;
	}
}
