import { type ObjectRef, printRef } from "../api/object-ref.ts";
import type { InvalidObject } from "../api/objects.ts";
import type { Position } from "../api/violation.ts";
import type { MeshState } from "../controllers/mesh.ts";
import type { Signal } from "../lib/signal.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Logger } from "../observability/logger.ts";
import type { FileProblem } from "../sources/file-problem.ts";
import { refKey } from "../store/ref-key.ts";

/** What problems are noticed in. */
export interface ProblemSignals {
	readonly invalid: Signal<ReadonlyMap<string, InvalidObject>>;
	readonly mesh: Signal<MeshState>;
	/** Where an object begins. */
	placeOf(ref: ObjectRef): Position | undefined;
}

/** Lines for one change; a folder full of mistakes must not bury everything else. */
const maxLines = 50;

/** Logs each problem once when it appears, and once when it is gone. The returned function ends it. */
export function logProblems(
	signals: ProblemSignals,
	logger: Logger,
): () => void {
	const refusals = new SeenProblems<InvalidObject>(logger, {
		appeared: (invalid) => logRefusal(invalid, logger),
		gone: ({ ref }) => {
			// Refused for something else now: that has been said.
			if (signals.invalid.value.has(refKey(ref))) return;
			logger.info("An object is no longer refused.", {
				object: printRef(ref),
			});
		},
	});
	const findings = new SeenProblems<Finding>(logger, {
		appeared: (finding) =>
			logger.warn("An object is not wholly in force.", {
				...fieldsOf(finding),
				...atField(signals.placeOf(finding.about)),
			}),
		gone: (finding) =>
			logger.info("A finding about an object is gone.", fieldsOf(finding)),
	});
	let list: readonly Finding[] = [];
	const takeFindings = (state: MeshState): void => {
		if (state.findings === list) return;
		list = state.findings;
		findings.take(byContent(list));
	};
	const takeInvalid = (now: ProblemSignals["invalid"]["value"]): void =>
		refusals.take(byContent([...now.values()]));
	takeInvalid(signals.invalid.value);
	takeFindings(signals.mesh.value);
	const stops = [
		signals.invalid.subscribe(takeInvalid),
		signals.mesh.subscribe(takeFindings),
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
	const fieldsOfFile = (problem: FileProblem) => ({
		at: printPosition(problem),
		problem: problem.message,
	});
	const seen = new SeenProblems<FileProblem>(logger, {
		appeared: (problem) =>
			logger.warn("A file has a problem.", fieldsOfFile(problem)),
		gone: (problem) =>
			logger.info("A problem of a file is gone.", fieldsOfFile(problem)),
	});
	return problems.subscribe((list) => seen.take(byContent(list)));
}

function byContent<T>(list: readonly T[]): ReadonlyMap<string, T> {
	return new Map(list.map((one) => [JSON.stringify(one), one]));
}

interface Sayings<T> {
	readonly appeared: (problem: T) => void;
	readonly gone: (problem: T) => void;
}

/** Remembers what has been said. */
class SeenProblems<T> {
	readonly #logger: Logger;
	readonly #say: Sayings<T>;
	#before: ReadonlyMap<string, T> = new Map();

	constructor(logger: Logger, say: Sayings<T>) {
		this.#logger = logger;
		this.#say = say;
	}

	/** Takes all current problems and says what is new about them. */
	take(now: ReadonlyMap<string, T>): void {
		const before = this.#before;
		this.#before = now;
		this.#each(missingIn(before, now), this.#say.appeared);
		this.#each(missingIn(now, before), this.#say.gone);
	}

	#each(problems: readonly T[], say: (problem: T) => void): void {
		for (const problem of problems.slice(0, maxLines)) say(problem);
		if (problems.length > maxLines)
			this.#logger.warn(
				"More of this kind is not logged; the admin API lists every problem.",
				{ more: problems.length - maxLines },
			);
	}
}

/** What of `all` is not in `known`. */
function missingIn<T>(
	known: ReadonlyMap<string, T>,
	all: ReadonlyMap<string, T>,
): readonly T[] {
	return [...all].filter(([key]) => !known.has(key)).map(([, one]) => one);
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
