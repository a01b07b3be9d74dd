import { type AnalysisNote, analysisNotes } from "./analysis-notes.ts";
import type { CheckedManifests, ManifestProblem } from "./check-manifests.ts";

/** One thing that somebody should know about some files. */
export type AnalyzedProblem =
	| ManifestProblem
	| (AnalysisNote & {
			/** Works as it is written. */
			readonly severity: "note";
	  });

/** What is to be said about one object, or about one file when no object is concerned. */
export interface AnalyzedObject {
	/** `RouteRule default/reviews`; the file when no single object is concerned. */
	readonly subject: string;
	/** Where it begins. */
	readonly file: string | undefined;
	readonly line: number | undefined;
	/** What becomes of it because of all that. */
	readonly effect: Effect;
	readonly problems: readonly AnalyzedProblem[];
}

/** What becomes of an object. */
export type Effect =
	| "refused"
	| "not in force"
	| "partly in force"
	| "in force";

/** All files together. */
export interface Analysis {
	/** Number of good objects. */
	readonly objects: number;
	/** What there is something to say about, worst first, then by place. */
	readonly troubled: readonly AnalyzedObject[];
	/** How often each reason occurs, most frequent first. */
	readonly reasons: readonly (readonly [reason: string, count: number])[];
}

/** Groups everything by object and says what becomes of each. */
export function analyze(checked: CheckedManifests): Analysis {
	const { places } = checked;
	const notes = analysisNotes(checked.good, checked.build).map((note) => ({
		severity: "note" as const,
		...note,
	}));
	const problems: readonly AnalyzedProblem[] = [...checked.problems, ...notes];
	const bySubject = Map.groupBy(
		problems,
		(problem) =>
			problem.object ??
			(problem.severity === "note" ? "" : (problem.file ?? "")),
	);
	const troubled = [...bySubject].map(([subject, own]): AnalyzedObject => {
		const begins = places.get(subject);
		const [placed] = own.flatMap((problem) =>
			problem.severity !== "note" && problem.file !== undefined
				? [problem]
				: [],
		);
		return {
			subject,
			file: begins?.file ?? placed?.file,
			line: begins?.line ?? placed?.line,
			effect: effectOf(own),
			problems: own,
		};
	});
	const counts = Map.groupBy(problems, ({ reason }) => reason);
	return {
		objects: checked.objects,
		troubled: troubled.sort(
			(a, b) => effects.indexOf(a.effect) - effects.indexOf(b.effect),
		),
		reasons: [...counts]
			.map(([reason, list]) => [reason, list.length] as const)
			.sort(([, a], [, b]) => b - a),
	};
}

/** Worst first. */
export const effects: readonly Effect[] = [
	"refused",
	"not in force",
	"partly in force",
	"in force",
];

function effectOf(problems: readonly AnalyzedProblem[]): Effect {
	if (problems.some(({ severity }) => severity === "error")) return "refused";
	const warnings = problems.filter(({ severity }) => severity === "warning");
	// A rule that is for nothing, and a Mesh that is not the one, do nothing.
	const whole = warnings.some(
		({ reason, path }) =>
			reason === "Shadowed" ||
			path === "metadata.name" ||
			path.startsWith("spec.destination"),
	);
	if (whole) return "not in force";
	return warnings.some(({ object }) => object !== undefined)
		? "partly in force"
		: "in force";
}
