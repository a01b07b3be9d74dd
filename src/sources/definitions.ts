/*
 * Which file defines which object.
 *
 *   file ─▶ manifests ─▶ by reference ─▶ the first in path order is the object,
 *                                         every other one a problem
 *
 * It also does for files what an API server does for its objects: it counts
 * generations, and it lets a deletion be final only when it was meant. Editors
 * save a file by emptying or removing it first, so what disappears stays in
 * force for a grace period and counts as never gone if it comes back within.
 */
import { compareText, type ObjectRef, printRef } from "../api/object-ref.ts";
import type { Change } from "../api/objects.ts";
import type { Position } from "../api/violation.ts";
import { refKey } from "../store/ref-key.ts";
import type { FileProblem } from "./file-problem.ts";
import type { Manifest } from "./manifest.ts";
import type { FileDocument } from "./parse-file.ts";
import type { Spot } from "./spot.ts";

/** A file whose documents define objects. */
export interface DefiningFile {
	/** Files are ranked by this key, in the order of `compareText`. */
	readonly key: string;
	/** The path to show. */
	readonly file: string;
	readonly documents: readonly FileDocument[];
}

/** What to tell the store now, and when to ask again. */
export interface DefinitionChanges {
	readonly changes: readonly Change[];
	/** When the next disappearance becomes final, in the time that was passed in. */
	readonly dueMs: number | undefined;
}

interface Definition {
	readonly key: string;
	readonly file: string;
	/** Rank within its file. */
	readonly index: number;
	readonly linesBefore: number;
	readonly manifest: Manifest;
}

interface Counted {
	readonly ref: ObjectRef;
	readonly contentDigest: string;
	readonly generation: number;
}

/** All definitions of all files, and which of them are in use. */
export class Definitions {
	readonly #graceMs: number;
	/** Defining files by key: the object references of each. */
	readonly #files = new Map<string, ReadonlySet<string>>();
	/** Never empty lists, best rank first. */
	readonly #definitions = new Map<string, readonly Definition[]>();
	readonly #counted = new Map<string, Counted>();
	readonly #touched = new Set<string>();
	/** When what is defined nowhere was first missed. */
	readonly #missedMs = new Map<string, number>();
	readonly #contested = new Set<string>();

	/** `graceMs` is how long an object must be defined nowhere before it is deleted. */
	constructor(graceMs: number) {
		this.#graceMs = graceMs;
	}

	/** Number of objects that a file defines. */
	countOf(key: string): number {
		return this.#files.get(key)?.size ?? 0;
	}

	/** Replaces everything that one file defines; no documents remove the file. */
	replaceFile({ key, file, documents }: DefiningFile): void {
		const added = new Map<string, Definition[]>();
		let index = 0;
		for (const { linesBefore, content } of documents) {
			for (const manifest of content.manifests) {
				const id = refKey(manifest.ref);
				const list = added.get(id) ?? [];
				list.push({ key, file, index, linesBefore, manifest });
				added.set(id, list);
				index++;
			}
		}
		const removed = this.#files.get(key) ?? new Set();
		for (const id of removed) {
			this.#rank(id, key, added.get(id) ?? []);
		}
		for (const [id, list] of added) {
			if (!removed.has(id)) this.#rank(id, key, list);
		}
		if (added.size === 0) this.#files.delete(key);
		else this.#files.set(key, new Set(added.keys()));
	}

	/** What changed since the last call. The time only needs to grow. */
	takeChanges(nowMs: number): DefinitionChanges {
		const changes: Change[] = [];
		for (const id of this.#touched) {
			const winner = this.#definitions.get(id)?.[0];
			if (winner !== undefined) {
				this.#missedMs.delete(id);
				changes.push(this.#toChange(id, winner));
			} else if (this.#counted.has(id) && !this.#missedMs.has(id)) {
				this.#missedMs.set(id, nowMs);
			}
		}
		this.#touched.clear();
		let dueMs: number | undefined;
		for (const [id, missedMs] of this.#missedMs) {
			const finalMs = missedMs + this.#graceMs;
			const ref = this.#counted.get(id)?.ref;
			if (finalMs > nowMs) {
				dueMs = Math.min(dueMs ?? finalMs, finalMs);
			} else if (ref !== undefined) {
				this.#missedMs.delete(id);
				this.#counted.delete(id);
				changes.push({ op: "delete", ref });
			}
		}
		return { changes, dueMs };
	}

	/** Every definition that is not in use because another one comes first. */
	duplicates(): readonly FileProblem[] {
		const problems: FileProblem[] = [];
		for (const id of this.#contested) {
			const [winner, ...losers] = this.#definitions.get(id) ?? [];
			if (winner === undefined) continue;
			const first = placeOf(winner, winner.manifest.spot());
			for (const loser of losers) {
				problems.push({
					severity: "error",
					...placeOf(loser, loser.manifest.spot()),
					message: `${printRef(loser.manifest.ref)} is defined at ${first.file}:${first.line}:${first.column} already, so this definition is not in use. Remove one of them.`,
				});
			}
		}
		return problems;
	}

	/** Where the object in use begins; undefined when no file defines it. */
	placeOf(ref: ObjectRef): Position | undefined {
		const winner = this.#definitions.get(refKey(ref))?.[0];
		return winner && placeOf(winner, winner.manifest.spot());
	}

	#rank(id: string, key: string, own: readonly Definition[]): void {
		const before = this.#definitions.get(id) ?? [];
		const ranked = [...before.filter((other) => other.key !== key), ...own];
		if (ranked.length > 1) {
			ranked.sort((a, b) => compareText(a.key, b.key) || a.index - b.index);
			this.#contested.add(id);
		} else this.#contested.delete(id);
		if (ranked.length === 0) this.#definitions.delete(id);
		else this.#definitions.set(id, ranked);
		if (!tellsTheSame(before[0], ranked[0])) this.#touched.add(id);
	}

	#toChange(id: string, winner: Definition): Change {
		const { manifest } = winner;
		const before = this.#counted.get(id);
		const { ref, contentDigest } = manifest;
		const generation = manifest.generation ?? nextGeneration(manifest, before);
		this.#counted.set(id, { ref, contentDigest, generation });
		const { result } = manifest;
		if (result.kind === "object") {
			const { object } = result;
			const metadata = { ...object.metadata, generation };
			return { op: "put", object: { ...object, metadata } };
		}
		const violations = result.violations.map(({ violation, spot }) => ({
			...violation,
			position: placeOf(winner, spot),
		}));
		return { op: "put-invalid", invalid: { ref, generation, violations } };
	}
}

/** Whether the store need not hear: only what is refused shows its place. */
function tellsTheSame(a: Definition | undefined, b: Definition | undefined) {
	if (a === undefined || b === undefined) return a === b;
	if (a.manifest !== b.manifest) return false;
	if (a.manifest.result.kind === "object") return true;
	return a.file === b.file && a.linesBefore === b.linesBefore;
}

function nextGeneration(manifest: Manifest, before: Counted | undefined) {
	if (before === undefined) return 1;
	const same = before.contentDigest === manifest.contentDigest;
	return same ? before.generation : before.generation + 1;
}

function placeOf({ file, linesBefore }: Definition, { line, column }: Spot) {
	return { file, line: linesBefore + line, column };
}
