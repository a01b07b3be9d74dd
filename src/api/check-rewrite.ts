import { checkAuthority } from "./check-authority.ts";
import { hasControlCharacter } from "./check-header.ts";
import { checkRegex } from "./check-regex.ts";
import type { FieldPath } from "./field-path.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";
import type { Redirect, RegexRewrite, Rewrite } from "./route-rule.ts";

/** Reports what is wrong with a rewrite, looked at alone. */
export function checkRewrite(
	rewrite: Rewrite,
	path: FieldPath,
	report: Report,
): void {
	checkNewPath(rewrite.path, [...path, "path"], "?#", report);
	checkNewPath(rewrite.prefix, [...path, "prefix"], "?#", report);
	if (rewrite.regex !== undefined) {
		checkRegexRewrite(rewrite.regex, [...path, "regex"], report);
	}
	if (rewrite.authority !== undefined) {
		checkAuthority(rewrite.authority, [...path, "authority"], true, report);
	}
}

/** Reports what is wrong with a redirect, looked at alone. */
export function checkRedirect(
	redirect: Redirect,
	path: FieldPath,
	report: Report,
): void {
	checkNewPath(redirect.path, [...path, "path"], "#", report);
	checkNewPath(redirect.prefix, [...path, "prefix"], "?#", report);
	if (redirect.authority !== undefined) {
		checkAuthority(redirect.authority, [...path, "authority"], false, report);
	}
}

function checkNewPath(
	text: string | undefined,
	path: FieldPath,
	refusedCharacters: string,
	report: Report,
): void {
	if (text === undefined) return;
	const refused = [...refusedCharacters].find((one) => text.includes(one));
	if (!text.startsWith("/")) {
		report(
			path,
			`Paths begin with "/". Write ${printValue(`/${text}`)} instead of ${printValue(text)}.`,
		);
	} else if (hasControlCharacter(text) || /\s/.test(text)) {
		report(
			path,
			"A path cannot contain spaces, line breaks or control characters. Remove them, or write them as %20 and the like.",
		);
	} else if (refused !== undefined) {
		report(
			path,
			`A path here cannot contain ${printValue(refused)}. Remove it and what follows.`,
		);
	}
}

function checkRegexRewrite(
	regex: RegexRewrite,
	path: FieldPath,
	report: Report,
): void {
	const groups = checkRegex(regex.pattern, [...path, "pattern"], report);
	const at = [...path, "replacement"];
	if (hasControlCharacter(regex.replacement)) {
		report(
			at,
			"A path cannot contain line breaks or control characters. Remove them.",
		);
	}
	for (const [, next = ""] of regex.replacement.matchAll(/\\([\s\S]?)/g)) {
		if (next === "\\") continue;
		if (!/^\d$/.test(next)) {
			report(
				at,
				"A backslash must be followed by the number of a group or by another backslash. Write \\\\ for a backslash.",
			);
			return;
		}
		if (groups !== undefined && Number(next) > groups) {
			report(
				at,
				`The replacement names group ${next}, but the pattern has ${groups}. Add a group, or change the number.`,
			);
			return;
		}
	}
}
