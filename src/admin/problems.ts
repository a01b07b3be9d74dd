import { compareText, printRef } from "../api/object-ref.ts";
import type { ObjectsReader } from "./readers.ts";

/** One thing that somebody should know or mend, wherever it was noticed. */
export interface Problem {
	/** An error means that something written is not in use. */
	readonly severity: "error" | "warning";
	/** `RouteRule default/reviews`; absent when no single object is concerned. */
	readonly object?: string;
	/** Stable word for machines: `Invalid`, a reason of a finding, `File`, `Source`, `BuildFailed`. */
	readonly reason: string;
	/** Path of the field concerned; empty for the whole object or file. */
	readonly path: string;
	readonly message: string;
	readonly file?: string;
	readonly line?: number;
	readonly column?: number;
}

/** Everything that is wrong now: errors first, then by file, object and path. */
export function listProblems(reader: ObjectsReader): readonly Problem[] {
	const failure = reader.buildFailure();
	const problems: readonly Problem[] = [
		...(failure === undefined
			? []
			: [
					{
						severity: "error" as const,
						reason: "BuildFailed",
						path: "",
						message: `The newest objects cannot be built, so an older state is in force: ${failure.error instanceof Error ? failure.error.message : String(failure.error)}`,
					},
				]),
		...reader.fileProblems().map((problem) => ({
			severity: problem.severity,
			reason: "File",
			path: "",
			message: problem.message,
			file: problem.file,
			line: problem.line,
			column: problem.column,
		})),
		...(reader.sourceProblems?.() ?? []).map(({ resource, message }) => ({
			severity: "error" as const,
			reason: "Source",
			path: "",
			message: `${resource}: ${message}`,
		})),
		...reader.objects().flatMap(({ ref, place, violations, findings }) => [
			...violations.map(({ path, message, position }) => ({
				severity: "error" as const,
				object: printRef(ref),
				reason: "Invalid",
				path,
				message,
				...position,
			})),
			...findings.map(({ path, message, reason }) => ({
				severity: "warning" as const,
				object: printRef(ref),
				reason,
				path,
				message,
				...place,
			})),
		]),
	];
	return [...problems].sort(
		(a, b) =>
			compareText(a.severity, b.severity) ||
			compareText(a.file ?? "", b.file ?? "") ||
			(a.line ?? 0) - (b.line ?? 0) ||
			compareText(a.object ?? "", b.object ?? "") ||
			compareText(a.path, b.path),
	);
}
