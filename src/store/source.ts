import type { Change } from "../api/objects.ts";

/** Takes what a source found. */
export interface ChangeSink {
	/** Applies changes in order, all before anyone sees any of them. */
	apply(changes: readonly Change[]): void;
	/** Says that everything that existed at the start has been applied; called once. */
	listed(): void;
}

/** Turns the outside into changes. */
export interface Source {
	/** Tells sources apart in logs and in the store. */
	readonly name: string;
	/** Runs until aborted; rejects only when it cannot go on at all. */
	run(sink: ChangeSink, signal: AbortSignal): Promise<void>;
}
