/** The text of one YAML document, as it stands in its file. */
export interface DocumentText {
	/** Starts with its `---`, if it has one. */
	readonly text: string;
	/** Number of lines before it in the file. */
	readonly linesBefore: number;
}

/**
 * Cuts a file into its YAML documents without parsing them.
 *
 * A line that starts with `---` or `...` and a blank is a marker wherever it
 * stands, even inside quotes (YAML 1.2.2 section 9.1.2), so no parser is needed
 * to find it. That lets a document that did not change keep its parsed form.
 *
 * Guarantees: documents that hold nothing but comments and directives are left out.
 */
export function splitDocuments(text: string): readonly DocumentText[] {
	const documents: DocumentText[] = [];
	let start = 0;
	let linesBefore = 0;
	const cutAt = (end: number): void => {
		const piece = text.slice(start, end);
		if (holdsContent(piece)) documents.push({ text: piece, linesBefore });
		linesBefore += countLines(piece);
		start = end;
	};
	for (const match of text.matchAll(/(?:^|\n)(?:---|\.\.\.)(?=[ \t\r\n]|$)/g)) {
		const marker = text[match.index] === "\n" ? match.index + 1 : match.index;
		if (marker > start) cutAt(marker);
		// What follows `...` on its line can only be a comment.
		if (text[marker] === ".") {
			const lineEnd = text.indexOf("\n", marker);
			linesBefore += lineEnd === -1 ? 0 : 1;
			start = lineEnd === -1 ? text.length : lineEnd + 1;
		}
	}
	cutAt(text.length);
	return documents;
}

function holdsContent(text: string): boolean {
	let start = 0;
	while (start < text.length) {
		const newline = text.indexOf("\n", start);
		const end = newline === -1 ? text.length : newline;
		let line = text.slice(start, end);
		if (start === 0 && line.startsWith("---")) line = line.slice(3);
		if (!/^\s*(#.*)?$/.test(line) && !line.startsWith("%")) return true;
		start = end + 1;
	}
	return false;
}

function countLines(text: string): number {
	let count = 0;
	for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1))
		count++;
	return count;
}
