import { setImmediate } from "node:timers/promises";

/**
 * Makes the function that long work calls between its steps, so that streams and
 * requests are served meanwhile: it lets others run once `budgetMs` are used up.
 */
export function createPacer(budgetMs: number): () => Promise<void> {
	let startedMs = performance.now();
	return async () => {
		if (performance.now() - startedMs < budgetMs) return;
		await setImmediate();
		startedMs = performance.now();
	};
}
