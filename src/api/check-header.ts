import type { FieldPath } from "./field-path.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Whether the text is a token of HTTP (RFC 9110, section 5.6.2): the form of header names and methods. */
export function isToken(text: string): boolean {
	return TOKEN.test(text);
}

/** Reports a name that no header can have. */
export function checkHeaderName(
	name: string,
	path: FieldPath,
	report: Report,
): void {
	if (name === "") {
		report(path, "The header name is empty. Write one.");
	} else if (name.startsWith(":")) {
		report(
			path,
			`${printValue(name)} is not a header but a part of the request. Use method, scheme, authority or path instead.`,
		);
	} else if (name.length > 256) {
		report(path, "The header name is longer than 256 characters. Shorten it.");
	} else if (!isToken(name)) {
		report(
			path,
			`${printValue(name)} is not a header name. Use letters, digits and "-".`,
		);
	}
}

/** Reports a header that a rule may not change, because Envoy refuses it or the connection depends on it. */
export function checkHeaderChange(
	name: string,
	path: FieldPath,
	report: Report,
): void {
	if (name.toLowerCase() === "host") {
		report(
			path,
			"The Host header cannot be changed like another header. Use rewrite.authority.",
		);
	} else if (CONNECTION_HEADERS.has(name.toLowerCase())) {
		report(
			path,
			`${printValue(name)} belongs to the connection and is written by the proxy. Remove it.`,
		);
	} else {
		checkHeaderName(name, path, report);
	}
}

const CONNECTION_HEADERS: ReadonlySet<string> = new Set([
	"connection",
	"content-length",
	"keep-alive",
	"proxy-connection",
	"transfer-encoding",
	"upgrade",
]);

/** Reports a value that cannot stand in a header. */
export function checkHeaderValue(
	value: string,
	path: FieldPath,
	report: Report,
): void {
	if (hasControlCharacter(value)) {
		report(
			path,
			"A header value cannot contain line breaks or other control characters. Remove them.",
		);
	}
}

/** Whether there is a character that no part of a request or response may contain; tabs are allowed. */
export function hasControlCharacter(text: string): boolean {
	for (let index = 0; index < text.length; index++) {
		const code = text.charCodeAt(index);
		if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
	}
	return false;
}

/** Reports names that are the same but for case, which header names do not distinguish. */
export function checkSameHeaders(
	names: readonly string[],
	pathOf: (name: string, index: number) => FieldPath,
	report: Report,
): void {
	const seen = new Map<string, string>();
	names.forEach((name, index) => {
		const first = seen.get(name.toLowerCase());
		if (first === undefined) seen.set(name.toLowerCase(), name);
		else {
			report(
				pathOf(name, index),
				`${printValue(name)} names the same header as ${printValue(first)}, because case does not count. Remove one of them.`,
			);
		}
	});
}
