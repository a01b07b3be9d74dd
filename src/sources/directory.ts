/*
 * Objects from a folder of YAML and JSON files, kept current.
 *
 *   TreeWatch ─ where to look ─▶ ManifestFiles ─ what is defined ─▶ Change[]
 *
 * One loop: wait until something may have changed, read just that, apply the
 * outcome as one batch. What changes meanwhile waits for the next turn.
 */
import { join } from "node:path";
import type { ObjectRef } from "../api/object-ref.ts";
import type { Position } from "../api/violation.ts";
import type { Clock } from "../lib/clock.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { listingOf } from "../store/listing-of.ts";
import type { ChangeSink, Source } from "../store/source.ts";
import { compareProblems, type FileProblem } from "./file-problem.ts";
import { ManifestFiles } from "./manifest-files.ts";
import { createPacer } from "./pacer.ts";
import { readFingerprint, type Tree, type TreeFault } from "./walk-tree.ts";
import { type Dirty, TreeWatch } from "./watch-tree.ts";

/** What a directory source needs. */
export interface DirectoryOptions {
	/** Tells the source apart in logs and in the store. */
	readonly name: string;
	/** A folder, or a single file. */
	readonly root: string;
	readonly clock: Clock;
	/** Takes all current problems that belong to no single object, whenever they change. */
	readonly problems: (problems: readonly FileProblem[]) => void;
	/** Hears once of each kind that is not read. */
	readonly report: (warning: FileProblem) => void;
	/** Time between two rounds of the scan that catches what watching misses; default 2,000. */
	readonly scanMs?: number;
	/** How long an object must be defined nowhere before it is deleted; default 150. */
	readonly graceMs?: number;
}

/** A source that knows in which file an object stands. */
export interface DirectorySource extends Source {
	/** Where an object begins; undefined when no file defines it now. */
	placeOf(ref: ObjectRef): Position | undefined;
}

/** Long work lets others run after so long: a tenth of what a person notices. */
const PACE_MS = 10;

/**
 * A source over a folder of manifests.
 *
 * Guarantees: as long as the root is not there, nothing is listed and nothing is
 *   deleted, as a folder that is not mounted yet looks the same; what disappears
 *   from it is deleted after the grace period.
 */
export function createDirectorySource(
	options: DirectoryOptions,
): DirectorySource {
	let current: DirectoryRun | undefined;
	return {
		name: options.name,
		run: (sink, signal) => {
			current = new DirectoryRun(options, sink);
			return current.run(signal);
		},
		placeOf: (ref) => current?.placeOf(ref),
	};
}

class DirectoryRun {
	readonly #options: DirectoryOptions;
	readonly #sink: ChangeSink;
	readonly #files: ManifestFiles;
	/** By path below the root: what each file looked like when it was read. */
	readonly #fingerprints = new Map<string, string>();
	readonly #watch: TreeWatch;
	readonly #pause = createPacer(PACE_MS);
	readonly #warned = new Set<string>();
	#faults: readonly TreeFault[] = [];
	#problems: readonly FileProblem[] = [];
	#listed = false;
	#wake: () => void = () => undefined;

	constructor(options: DirectoryOptions, sink: ChangeSink) {
		this.#options = options;
		this.#sink = sink;
		this.#files = new ManifestFiles(options.graceMs ?? 150);
		this.#watch = new TreeWatch(
			options.root,
			options.clock,
			{ quietMs: 5, maxQuietMs: 50, scanMs: options.scanMs ?? 2_000 },
			() => this.#wake(),
		);
	}

	async run(signal: AbortSignal): Promise<void> {
		const stop = () => this.#wake();
		signal.addEventListener("abort", stop);
		try {
			let dirty: Dirty = { files: new Set(), tree: true };
			while (!signal.aborted) {
				// Made before looking, so that no change on the way is slept through.
				const woken = new Promise<void>((resolve) => {
					this.#wake = resolve;
				});
				await this.#look(dirty, signal);
				if (signal.aborted) break;
				const cancel = this.#publish();
				await woken;
				cancel();
				dirty = this.#watch.takeDirty();
			}
		} finally {
			signal.removeEventListener("abort", stop);
			this.#watch.close();
		}
	}

	placeOf(ref: ObjectRef): Position | undefined {
		return this.#files.definitions.placeOf(ref);
	}

	async #look(dirty: Dirty, signal: AbortSignal): Promise<void> {
		const targets = dirty.tree
			? this.#targetsIn(await this.#watch.walk(this.#pause), dirty.files)
			: this.#targetsAmong(dirty.files);
		for (const { relative, path, fingerprint } of targets) {
			if (signal.aborted) return;
			const name = { key: relative, file: path };
			await this.#files.read(name, path, this.#pause);
			if (fingerprint === undefined) this.#fingerprints.delete(relative);
			else this.#fingerprints.set(relative, fingerprint);
			await this.#pause();
		}
		this.#watch.compareWith(this.#fingerprints);
	}

	#targetsAmong(files: ReadonlySet<string>) {
		return [...files].sort().map((relative) => {
			const path = join(this.#options.root, relative);
			return { relative, path, fingerprint: readFingerprint(path) };
		});
	}

	#targetsIn(tree: Tree, marked: ReadonlySet<string>) {
		this.#faults = tree.faults;
		for (const key of [...this.#files.keys()]) {
			if (tree.files.has(key) || tree.faults.some(hides(key))) continue;
			this.#files.remove(key);
			this.#fingerprints.delete(key);
		}
		return [...tree.files.values()].filter(
			({ relative, fingerprint }) =>
				marked.has(relative) ||
				this.#fingerprints.get(relative) !== fingerprint,
		);
	}

	/** Tells the store and the rest what is true now; returns how to cancel the next wake-up. */
	#publish(): () => void {
		this.#publishProblems();
		if (this.#faults.some(({ relative }) => relative === "") && !this.#listed) {
			return () => undefined;
		}
		const nowMs = this.#options.clock.monotonicMs();
		const { changes, dueMs } = this.#files.definitions.takeChanges(nowMs);
		if (!this.#listed) {
			this.#sink.apply(listingOf(changes));
			this.#listed = true;
			this.#sink.listed();
		} else if (changes.length > 0) this.#sink.apply(changes);
		if (dueMs === undefined) return () => undefined;
		return this.#options.clock.after(dueMs - nowMs, () => this.#wake());
	}

	#publishProblems(): void {
		const { problems, report } = this.#options;
		const current = [
			...this.#files.problems(),
			...this.#faults.map((fault) => faultProblem(fault, this.#listed)),
			...this.#watch.unwatched.map(unwatchedProblem),
		].sort(compareProblems);
		for (const { kind, problem } of this.#files.ignoredKinds()) {
			if (this.#warned.has(kind)) continue;
			this.#warned.add(kind);
			report(problem);
		}
		if (deepEqual(current, this.#problems)) return;
		this.#problems = current;
		problems(current);
	}
}

/** Whether a file may still be there, below a folder that cannot be looked into. */
function hides(key: string): (fault: TreeFault) => boolean {
	return ({ relative }) =>
		relative === "" || key === relative || key.startsWith(`${relative}/`);
}

function faultProblem(fault: TreeFault, listed: boolean): FileProblem {
	const what =
		fault.code === "ENOENT"
			? "There is no such file or folder."
			: `It cannot be read (${fault.code}).`;
	const consequence =
		fault.relative === "" && !listed
			? "Nothing is configured until it can be read."
			: "What was read from it before stays in force.";
	return {
		severity: "error",
		file: fault.path,
		line: 1,
		column: 1,
		message: `${what} ${consequence}`,
	};
}

function unwatchedProblem(file: string): FileProblem {
	return {
		severity: "warning",
		file,
		line: 1,
		column: 1,
		message:
			"The operating system refuses to watch this folder, so changes in it are noticed seconds later. Raise fs.inotify.max_user_watches and max_user_instances.",
	};
}
