import type { StringMatch } from "./string-match.ts";

/**
 * True when every value that meets `narrow` is known to meet `wide` too. False
 * says nothing: regexes are compared as text only.
 */
export function stringMatchImplies(
	narrow: StringMatch,
	wide: StringMatch,
): boolean {
	if (
		narrow.kind === wide.kind &&
		narrow.value === wide.value &&
		narrow.not === wide.not &&
		narrow.ignoreCase === wide.ignoreCase
	) {
		return true;
	}
	if (narrow.not || wide.not) return false;
	if (narrow.kind === "present" || narrow.kind === "regex") return false;
	// An empty text might be met by a value that is not there at all.
	if (wide.kind === "present") return narrow.value !== "";
	if (wide.kind === "regex") return false;
	if (narrow.ignoreCase && !wide.ignoreCase) return false;
	const fold = (text: string): string =>
		wide.ignoreCase ? text.toLowerCase() : text;
	const known = fold(narrow.value);
	const asked = fold(wide.value);
	switch (wide.kind) {
		case "exact":
			return narrow.kind === "exact" && known === asked;
		case "prefix":
			return (
				(narrow.kind === "exact" || narrow.kind === "prefix") &&
				known.startsWith(asked)
			);
		case "suffix":
			return (
				(narrow.kind === "exact" || narrow.kind === "suffix") &&
				known.endsWith(asked)
			);
		case "contains":
			return known.includes(asked);
	}
}
