import { RE2JS, RE2JSException } from "re2js";
import type { FieldPath } from "./field-path.ts";
import type { Report } from "./report.ts";

/**
 * RE2 gives up at about 87,000 instructions: two thirds of its 8 MiB, a quarter
 * of that for instructions of 16 bytes. Envoy has a limit of its own besides
 * (`re2.max_program_size.error_level`, 100 unless the bootstrap raises it).
 */
const MAX_INSTRUCTIONS = 65_536;

/**
 * Reports a regex that Envoy's engine refuses; answers the number of its groups, or undefined.
 *
 * The engine is RE2 on bytes (Latin-1): a letter outside ASCII is several of
 * them. And the regex must stay whole when it is put into parentheses.
 */
export function checkRegex(
	pattern: string,
	path: FieldPath,
	report: Report,
): number | undefined {
	const wide = wideEscapeOf(pattern);
	if (wide !== undefined) {
		report(
			path,
			`The regex is matched against bytes, so ${wide} cannot be in it. Write the character itself.`,
		);
		return undefined;
	}
	const given = compile(pattern);
	if ("refused" in given) {
		report(
			path,
			`RE2 refuses the regex: ${given.refused}. RE2 has no lookaround and no backreferences; see its syntax at https://github.com/google/re2/wiki/Syntax and change the regex.`,
		);
		return undefined;
	}
	// As Envoy sees it: bytes, and in places where something else follows.
	const used = compile(`(?:${bytesOf(pattern)})`);
	if ("refused" in used) {
		report(path, "A quotation that \\Q begins must be ended by \\E. Add it.");
		return undefined;
	}
	const ranges = rangesOfWidestClass(pattern);
	if (used.regex.programSize() * (1 + 2 * ranges) > MAX_INSTRUCTIONS) {
		report(
			path,
			"The regex is too large when compiled. Use smaller repeat counts, or split the rule.",
		);
		return undefined;
	}
	return given.regex.groupCount();
}

function compile(
	pattern: string,
): { readonly regex: RE2JS } | { readonly refused: string } {
	try {
		return { regex: RE2JS.compile(pattern) };
	} catch (error) {
		if (!(error instanceof RE2JSException)) throw error;
		return { refused: error.message.replace(/^error parsing regexp: /, "") };
	}
}

/** The text as Envoy sees it: a character for each byte. */
function bytesOf(text: string): string {
	let bytes = "";
	for (const byte of new TextEncoder().encode(text)) {
		bytes += String.fromCharCode(byte);
	}
	return bytes;
}

/** The first escape of a character that is no byte. */
function wideEscapeOf(pattern: string): string | undefined {
	const escapes = pattern.matchAll(/\\(?:x\{([0-9A-Fa-f]+)\}|[\s\S])/g);
	for (const [escape, code] of escapes) {
		if (code !== undefined && Number.parseInt(code, 16) > 0xff) return escape;
	}
	return undefined;
}

/** At least how many ranges of bytes the widest character class has: each is an instruction or two. */
function rangesOfWidestClass(pattern: string): number {
	const classes = pattern.match(/\[(?:\\[\s\S]|[^\]\\])*\]?/g) ?? [];
	const lengths = classes.map((text) => Math.min(128, text.length));
	const hasNamed = /\\[pPwWdDsS]|\[:/.test(pattern);
	return Math.max(hasNamed ? 12 : 1, ...lengths);
}
