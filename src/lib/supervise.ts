import { isCancelled } from "./is-cancelled.ts";

/** Takes charge of a promise that nobody awaits; `name` tells it apart in logs. */
export type Supervise = (name: string, promise: Promise<unknown>) => void;

/**
 * Makes the function that every promise goes to which is neither awaited nor returned.
 *
 * Guarantees: a rejection reaches `onFailure` exactly once; cancellation does not.
 * Expects: `onFailure` logs and ends the process, as a rejection here means that
 *   a part which should run forever has stopped.
 */
export function createSupervise(
	onFailure: (name: string, error: unknown) => void,
): Supervise {
	return (name, promise) => {
		promise.catch((error: unknown) => {
			if (!isCancelled(error)) onFailure(name, error);
		});
	};
}
