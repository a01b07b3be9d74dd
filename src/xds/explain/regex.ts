/*
 * Regular expressions as Envoy runs them: RE2 over bytes.
 */
import { type Matcher, RE2JS } from "re2js";

/** True when the whole text matches. */
export function regexMatches(pattern: string, text: string): boolean {
	return RE2JS.compile(bytesOf(pattern)).matches(bytesOf(text));
}

/**
 * The text with every match replaced; `\1` in the replacement is the first
 * group, `\0` the whole match, `\\` a backslash.
 */
export function regexReplace(
	pattern: string,
	replacement: string,
	text: string,
): string {
	const bytes = bytesOf(text);
	const matcher = RE2JS.compile(bytesOf(pattern)).matcher(bytes);
	let result = "";
	let last = 0;
	let lastEnd = -1;
	while (matcher.find()) {
		// RE2 skips an empty match where the one before it ended.
		if (matcher.start() === matcher.end() && matcher.start() === lastEnd)
			continue;
		result += bytes.slice(last, matcher.start());
		result += substitute(bytesOf(replacement), matcher);
		last = matcher.end();
		lastEnd = last;
	}
	return textOf(result + bytes.slice(last));
}

function substitute(replacement: string, matcher: Matcher): string {
	return replacement.replaceAll(/\\([0-9\\])/g, (_, what: string) =>
		what === "\\" ? "\\" : (matcher.group(Number(what)) ?? ""),
	);
}

/** A character for each byte of the text in UTF-8. */
function bytesOf(text: string): string {
	return Array.from(new TextEncoder().encode(text), (byte) =>
		String.fromCharCode(byte),
	).join("");
}

function textOf(bytes: string): string {
	return new TextDecoder().decode(
		Uint8Array.from(bytes, (character) => character.charCodeAt(0)),
	);
}
