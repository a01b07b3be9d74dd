import { Definitions } from "./definitions.ts";
import { compareProblems, type FileProblem } from "./file-problem.ts";
import { syntaxOf } from "./manifest-file.ts";
import type { Syntax } from "./parse-document.ts";
import { type FileDocument, parseFile } from "./parse-file.ts";
import { type FileText, readText } from "./read-text.ts";
import type { Spot } from "./spot.ts";

/** Where a file stands among the others. */
export interface FileName {
	/** Ranks files: of two that define one object, the lower key wins. */
	readonly key: string;
	/** The path to show. */
	readonly file: string;
}

/** A kind that is not read, and the warning about it. */
export interface IgnoredKind {
	/** Kind and API version. */
	readonly kind: string;
	readonly problem: FileProblem;
}

interface FileState {
	readonly file: string;
	/** Of the bytes last parsed; undefined when the last attempt to read failed. */
	readonly digest: string | undefined;
	/** The documents in force: the last good ones. */
	readonly documents: readonly FileDocument[];
	readonly problems: readonly FileProblem[];
}

/**
 * The files of a source, what they define, and what is wrong with them.
 *
 * Guarantees: a file that cannot be read or parsed keeps everything it defined;
 *   one that never could defines what its readable documents do.
 */
export class ManifestFiles {
	readonly definitions: Definitions;
	readonly #namespace: string | undefined;
	readonly #files = new Map<string, FileState>();
	/** The few files that there is something to say about. */
	readonly #noted = new Set<string>();

	/** `graceMs` as in `Definitions`, `namespace` as in `readDirectory`. */
	constructor(graceMs: number, namespace?: string) {
		this.#namespace = namespace;
		this.definitions = new Definitions(graceMs);
	}

	/** Keys of the files that are there. */
	keys(): Iterable<string> {
		return this.#files.keys();
	}

	/** Reads a file from disk; a file that is gone is removed. */
	async read(
		name: FileName,
		path: string,
		pause: () => Promise<void>,
	): Promise<void> {
		await this.take(name, readText(path), syntaxOf(path), pause);
	}

	/** Takes the content of a file. */
	async take(
		name: FileName,
		content: FileText,
		syntax: Syntax,
		pause: () => Promise<void>,
	): Promise<void> {
		const before = this.#files.get(name.key);
		switch (content.kind) {
			case "gone":
				this.remove(name.key);
				return;
			case "refused":
				this.#keep(name.key, {
					file: name.file,
					digest: undefined,
					documents: before?.documents ?? [],
					problems: [this.#fileProblem(name, content.spot, content.message)],
				});
				return;
			case "text": {
				if (before !== undefined && before.digest === content.digest) return;
				const documents = await parseFile(
					content.text,
					syntax,
					before?.documents ?? [],
					pause,
					this.#namespace,
				);
				const problems = this.#brokenDocuments(name, documents);
				const keeps =
					problems.length > 0 && this.definitions.countOf(name.key) > 0;
				const inForce = keeps ? (before?.documents ?? []) : documents;
				this.#keep(name.key, {
					file: name.file,
					digest: content.digest,
					documents: inForce,
					problems,
				});
				this.definitions.replaceFile({ ...name, documents: inForce });
				return;
			}
		}
	}

	/** Forgets a file and what it defines. */
	remove(key: string): void {
		const file = this.#files.get(key)?.file;
		if (file === undefined) return;
		this.#files.delete(key);
		this.#noted.delete(key);
		this.definitions.replaceFile({ key, file, documents: [] });
	}

	/** Everything that is wrong with the files and belongs to no single object, in order of place. */
	problems(): readonly FileProblem[] {
		const problems = [
			...this.definitions.duplicates(),
			...this.ignoredKinds().map(({ problem }) => problem),
		];
		for (const key of this.#noted) {
			problems.push(...(this.#files.get(key)?.problems ?? []));
		}
		return problems.sort(compareProblems);
	}

	/** One warning for each kind that is not read, at the first object of it. */
	ignoredKinds(): readonly IgnoredKind[] {
		const kinds = new Map<
			string,
			{ place: () => FileProblem; count: number }
		>();
		for (const key of [...this.#noted].sort()) {
			const state = this.#files.get(key);
			for (const { linesBefore, content } of state?.documents ?? []) {
				for (const { apiVersion, kindName, spot } of content.ignored) {
					const kind = `${kindName} of ${apiVersion}`;
					const known = kinds.get(kind);
					if (known !== undefined) {
						known.count++;
						continue;
					}
					const place = (): FileProblem => ({
						severity: "warning",
						file: state?.file ?? key,
						line: linesBefore + spot().line,
						column: spot().column,
						message: `The kind ${kind} is not read.`,
					});
					kinds.set(kind, { place, count: 1 });
				}
			}
		}
		return [...kinds].map(([kind, { place, count }]) => {
			const problem = place();
			const others =
				count === 1
					? "This object is ignored."
					: `This object and ${count - 1} more are ignored.`;
			const message = `${problem.message} ${others}`;
			return { kind, problem: { ...problem, message } };
		});
	}

	#keep(key: string, state: FileState): void {
		this.#files.set(key, state);
		const saysSomething =
			state.problems.length > 0 ||
			state.documents.some(({ content }) => content.ignored.length > 0);
		if (saysSomething) this.#noted.add(key);
		else this.#noted.delete(key);
	}

	#brokenDocuments(
		name: FileName,
		documents: readonly FileDocument[],
	): readonly FileProblem[] {
		return documents.flatMap(({ linesBefore, content }) =>
			content.broken.map(({ spot, message }) =>
				this.#fileProblem(
					name,
					{ line: linesBefore + spot.line, column: spot.column },
					message,
				),
			),
		);
	}

	#fileProblem(name: FileName, spot: Spot, message: string): FileProblem {
		const count = this.definitions.countOf(name.key);
		const consequence =
			count === 0
				? ""
				: count === 1
					? " The last good form of the object in this file stays in force."
					: ` The last good forms of the ${count} objects in this file stay in force.`;
		return {
			severity: "error",
			file: name.file,
			...spot,
			message: message + consequence,
		};
	}
}
