import { checkRegex } from "./check-regex.ts";
import type { FieldPath } from "./field-path.ts";
import type { Report } from "./report.ts";
import type { StringMatch } from "./route-rule.ts";
import type { StringTest } from "./string-test.ts";
import { STRING_TESTS, stringTestsOf } from "./string-test.ts";

/** Reports what is wrong with a string match, whatever it is matched against; answers its tests. */
export function checkStringMatch(
	match: StringMatch,
	path: FieldPath,
	report: Report,
): readonly StringTest[] {
	const tests = stringTestsOf(match, path);
	if (typeof match === "string") return tests;
	const kinds = tests.length + (match.present === undefined ? 0 : 1);
	if (kinds !== 1) {
		report(
			path,
			`${kinds === 0 ? "Nothing is compared" : "Several things are compared"}. Set exactly one of ${STRING_TESTS.join(", ")} and present.`,
		);
	}
	if (match.ignoreCase && match.regex !== undefined) {
		report(
			[...path, "ignoreCase"],
			"A regex says itself whether case counts. Remove ignoreCase, and begin the regex with (?i).",
		);
	}
	if (match.regex !== undefined) {
		checkRegex(match.regex, [...path, "regex"], report);
	}
	return tests;
}

/** Reports `present` where there is always a value, so that it could only be always or never true. */
export function checkNotPresence(
	match: StringMatch,
	path: FieldPath,
	report: Report,
): void {
	if (typeof match === "string" || match.present === undefined) return;
	report(
		[...path, "present"],
		match.present
			? "Every request has one, so this is always true. Remove the match."
			: "Every request has one, so this is never true. Remove the entry, or compare the value.",
	);
}
