/** The code of an error that is thrown on purpose, as its class documents it. */
export interface ErrorCode {
	readonly code: string;
	readonly means: string;
	/** What whoever sees it does next. */
	readonly next: string;
}

/** What a source says about its codes, or what is missing there. */
export interface FoundCodes {
	readonly codes: readonly ErrorCode[];
	/** Full sentences. */
	readonly problems: readonly string[];
}

/**
 * The codes of all classes in a source that extend `CodedError`.
 *
 * Each code is a text in the declaration of `code`, with a comment before it that
 * says what happened and, after `Next:`, what to do.
 */
export function findErrorCodes(file: string, source: string): FoundCodes {
	const codes: ErrorCode[] = [];
	const problems: string[] = [];
	for (const body of source.split(/\bextends CodedError\b/).slice(1)) {
		const declared =
			/((?:\/\*\*(?:(?!\*\/)[\s\S])*\*\/\s*)?readonly code\b[\s\S]*)/.exec(
				body,
			)?.[1] ?? "";
		let comment: string | undefined;
		for (const [token] of declared.matchAll(
			/\/\*\*(?:(?!\*\/)[\s\S])*\*\/|"[^"]*"|;/g,
		)) {
			if (token === ";") break;
			if (token.startsWith("/**")) {
				comment = textOf(token);
				continue;
			}
			const code = token.slice(1, -1);
			const [means, next] = (comment ?? "").split(/\s*Next:\s*/);
			comment = undefined;
			if (means && next) codes.push({ code, means, next: capital(next) });
			else
				problems.push(
					`${file}: ${code} needs a comment before it: /** What happened. Next: what to do. */`,
				);
		}
	}
	return { codes, problems };
}

function textOf(comment: string): string {
	return comment
		.slice(3, -2)
		.split("\n")
		.map((line) => line.replace(/^\s*\* ?/, "").trim())
		.join(" ")
		.trim();
}

function capital(text: string): string {
	return text.charAt(0).toUpperCase() + text.slice(1);
}
