import { compareText } from "../api/object-ref.ts";
import type { Position } from "../api/violation.ts";

/** Something wrong with a file that belongs to no single object. */
export interface FileProblem extends Position {
	/** A warning costs nothing but attention; an error means that something written is not in use. */
	readonly severity: "error" | "warning";
	/** Full sentences: what is wrong, and how to mend it. */
	readonly message: string;
}

/** Order for people: by file, then line, then column, then message. */
export function compareProblems(a: FileProblem, b: FileProblem): number {
	return (
		compareText(a.file, b.file) ||
		a.line - b.line ||
		a.column - b.column ||
		compareText(a.message, b.message)
	);
}
