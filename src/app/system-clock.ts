import { performance } from "node:perf_hooks";
import type { Clock } from "../lib/clock.ts";

/** The clock of this machine. */
export const systemClock: Clock = {
	nowMs: () => Date.now(),
	monotonicMs: () => performance.now(),
	after: (delayMs, callback) => {
		// An immediate runs before the next poll for events, a timer of 0 ms only after at least 1 ms.
		if (delayMs <= 0) {
			const soon = setImmediate(callback);
			return () => clearImmediate(soon);
		}
		const timer = setTimeout(callback, delayMs);
		return () => clearTimeout(timer);
	},
};
