/** The time, as an argument, so that rules about time can be tested without waiting. */
export interface Clock {
	/** Milliseconds since the Unix epoch; may jump when the machine's clock is set. */
	nowMs(): number;
	/** Milliseconds that only ever grow; for measuring and for timers. */
	monotonicMs(): number;
	/** Calls `callback` once after `delayMs`; the returned function cancels it. */
	after(delayMs: number, callback: () => void): () => void;
}
