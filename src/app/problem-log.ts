import { type ObjectRef, printRef } from "../api/object-ref.ts";
import type { InvalidObject } from "../api/objects.ts";
import type { Position } from "../api/violation.ts";
import type { MeshState } from "../controllers/mesh.ts";
import type { Signal } from "../lib/signal.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Logger } from "../observability/logger.ts";
import type { FileProblem } from "../sources/file-problem.ts";

/** What problems are noticed in. */
export interface ProblemSignals {
	readonly invalid: Signal<ReadonlyMap<string, InvalidObject>>;
	readonly mesh: Signal<MeshState>;
	/** Where an object begins. */
	placeOf(ref: ObjectRef): Position | undefined;
}

/** Logs each problem once when it appears, and once when it is gone. The returned function ends it. */
export function logProblems(
	signals: ProblemSignals,
	logger: Logger,
): () => void {
	let refused: ReadonlyMap<string, InvalidObject> = new Map();
	let findings: ReadonlyMap<string, Finding> = new Map();
	const compareRefused = (now: ReadonlyMap<string, InvalidObject>): void => {
		for (const [key, invalid] of now)
			if (refused.get(key) !== invalid) logRefusal(invalid, logger);
		for (const [key, { ref }] of refused)
			if (!now.has(key))
				logger.info("An object is no longer refused.", {
					object: printRef(ref),
				});
		refused = now;
	};
	let seen: readonly Finding[] = [];
	const compareFindings = ({ findings: list }: MeshState): void => {
		if (list === seen) return;
		seen = list;
		const now = new Map(list.map((one) => [JSON.stringify(one), one]));
		for (const [key, finding] of now)
			if (!findings.has(key))
				logger.warn("An object is not wholly in force.", {
					...fieldsOf(finding),
					...atField(signals.placeOf(finding.about)),
				});
		for (const [key, finding] of findings)
			if (!now.has(key))
				logger.info("A finding about an object is gone.", fieldsOf(finding));
		findings = now;
	};
	compareRefused(signals.invalid.value);
	compareFindings(signals.mesh.value);
	const stops = [
		signals.invalid.subscribe(compareRefused),
		signals.mesh.subscribe(compareFindings),
	];
	return () => {
		for (const stop of stops) stop();
	};
}

/** Logs each problem of a file once when it appears, and once when it is gone. The returned function ends it. */
export function logFileProblems(
	problems: Signal<readonly FileProblem[]>,
	logger: Logger,
): () => void {
	let before: ReadonlyMap<string, FileProblem> = new Map();
	return problems.subscribe((list) => {
		const now = new Map(list.map((one) => [JSON.stringify(one), one]));
		for (const [key, problem] of now)
			if (!before.has(key))
				logger.warn("A file has a problem.", {
					at: printPosition(problem),
					problem: problem.message,
				});
		for (const [key, problem] of before)
			if (!now.has(key))
				logger.info("A problem of a file is gone.", {
					at: printPosition(problem),
					problem: problem.message,
				});
		before = now;
	});
}

function logRefusal({ ref, violations }: InvalidObject, logger: Logger): void {
	for (const { path, message, position } of violations)
		logger.warn(
			"An object is refused; its last good form, if it had one, stays in force.",
			{
				object: printRef(ref),
				...atField(position),
				path,
				problem: message,
			},
		);
}

function fieldsOf({ about, path, reason, message }: Finding) {
	return { object: printRef(about), path, reason, problem: message };
}

function atField(place: Position | undefined): { readonly at?: string } {
	return place === undefined ? {} : { at: printPosition(place) };
}

function printPosition({ file, line, column }: Position): string {
	return `${file}:${line}:${column}`;
}
