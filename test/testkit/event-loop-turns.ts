import { setImmediate } from "node:timers/promises";

/** Lets everything go on that waits for promises alone, for so many turns of the event loop. */
export async function eventLoopTurns(count: number): Promise<void> {
	for (let turn = 0; turn < count; turn++) await setImmediate();
}
