import type { Signal } from "../../lib/signal.ts";

/** Answers as soon as the value of a signal is as wanted; rejects with the reason of `signal` when that is aborted first. */
export function whenTrue<T>(
	watched: Signal<T>,
	isTrue: (value: T) => boolean,
	signal: AbortSignal,
): Promise<void> {
	return new Promise((resolve, reject) => {
		signal.throwIfAborted();
		if (isTrue(watched.value)) {
			resolve();
			return;
		}
		const stop = watched.subscribe((value) => {
			if (!isTrue(value)) return;
			finish();
			resolve();
		});
		const aborted = (): void => {
			finish();
			reject(signal.reason);
		};
		const finish = (): void => {
			stop();
			signal.removeEventListener("abort", aborted);
		};
		signal.addEventListener("abort", aborted);
	});
}
