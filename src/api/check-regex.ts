import { RE2JS, RE2JSException } from "re2js";
import type { FieldPath } from "./field-path.ts";
import type { Report } from "./report.ts";

/**
 * The largest compiled regex that is accepted. Envoy's own limit is far lower
 * (100) unless the bootstrap raises `re2.max_program_size.error_level`; ours
 * raises it to twice this, because the two engines do not count quite alike.
 */
export const MAX_REGEX_PROGRAM_SIZE = 4096;

/** Reports a regex that Envoy's engine, RE2, refuses; answers the number of its groups, or undefined. */
export function checkRegex(
	pattern: string,
	path: FieldPath,
	report: Report,
): number | undefined {
	try {
		const regex = RE2JS.compile(pattern);
		if (regex.programSize() <= MAX_REGEX_PROGRAM_SIZE) {
			return regex.groupCount();
		}
		report(
			path,
			"The regex is too large when compiled. Use smaller repeat counts, or split the rule.",
		);
	} catch (error) {
		if (!(error instanceof RE2JSException)) throw error;
		const reason = error.message.replace(/^error parsing regexp: /, "");
		report(
			path,
			`RE2 refuses the regex: ${reason}. RE2 has no lookaround and no backreferences; see its syntax at https://github.com/google/re2/wiki/Syntax and change the regex.`,
		);
	}
	return undefined;
}
