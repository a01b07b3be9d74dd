/** How long changes are held back so that several make one build. */
export interface HoldOff {
	/** Changes that come closer together than this are one. */
	readonly quietMs: number;
	/** No change waits longer than this. */
	readonly maxMs: number;
}

/** Changes that have not been built yet. Times are monotonic milliseconds. */
export interface WaitingChanges {
	readonly firstMs: number;
	readonly lastMs: number;
	/** Whether objects have gone. */
	readonly removes: boolean;
	/** When the previous build ended. */
	readonly builtMs: number;
}

/**
 * When the waiting changes are to be built.
 *
 * A change that comes after a quiet time does not wait: mostly it is the only
 * one. A removal always waits, because it is often the first half of a move (of
 * an object to another file), and building half a move would take routes away
 * for a moment.
 */
export function buildTimeMs(waiting: WaitingChanges, holdOff: HoldOff): number {
	const wasQuiet = waiting.firstMs - waiting.builtMs >= holdOff.quietMs;
	if (wasQuiet && !waiting.removes) return waiting.firstMs;
	return Math.min(
		waiting.lastMs + holdOff.quietMs,
		waiting.firstMs + holdOff.maxMs,
	);
}
