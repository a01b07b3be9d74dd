import type { Clock } from "./clock.ts";

/**
 * Waits so many milliseconds, or until aborted if that comes first; a signal that is aborted already waits for nothing.
 *
 * Guarantees: never rejects, so a loop goes on to see `signal.aborted` by itself; leaves neither a timer nor a listener behind.
 */
export function pause(
	clock: Clock,
	delayMs: number,
	signal: AbortSignal,
): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) {
			resolve();
			return;
		}
		const finish = (): void => {
			cancel();
			signal.removeEventListener("abort", finish);
			resolve();
		};
		const cancel = clock.after(delayMs, finish);
		signal.addEventListener("abort", finish);
	});
}
