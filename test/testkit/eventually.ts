import { setTimeout } from "node:timers/promises";

/**
 * Waits until `check` passes, looking again every few milliseconds, and returns
 * what it returned; after the deadline its last failure is the test's failure.
 */
export async function eventually<T>(
	check: () => T | Promise<T>,
	deadlineMs = 10_000,
): Promise<T> {
	const endMs = performance.now() + deadlineMs;
	for (;;) {
		try {
			return await check();
		} catch (error) {
			if (performance.now() >= endMs) throw error;
		}
		await setTimeout(3);
	}
}
