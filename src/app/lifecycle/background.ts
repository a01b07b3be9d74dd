import { isCancelled } from "../../lib/is-cancelled.ts";
import type { Stops } from "./stops.ts";

/**
 * Runs something that goes on until it is stopped; what ends by itself before is a failure.
 *
 * @returns rejects when it failed; never resolves before it is stopped
 */
export function runInBackground(
	name: string,
	run: (signal: AbortSignal) => Promise<void>,
	onFailure: (error: unknown) => void,
	stops: Stops,
): Promise<void> {
	const running = new AbortController();
	const ended = run(running.signal).catch((error: unknown) => {
		if (!isCancelled(error)) throw error;
	});
	const failed = ended.then(() => {
		if (!running.signal.aborted) throw new Error(`${name} ended by itself.`);
	});
	failed.catch(onFailure);
	stops.add(async () => {
		running.abort();
		await ended.catch(() => undefined);
	});
	return failed;
}
