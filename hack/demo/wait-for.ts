import type { Parts } from "../programs/parts.ts";
import { DemoError } from "./demo-error.ts";

/** How long one step of the start may take: a cold, busy machine is slow. */
const STEP_MS = 60_000;

/**
 * Tries until it works.
 *
 * Fails when: a part ends or a minute is over; then with a `DemoError`.
 */
export async function waitFor<T>(
	parts: Parts,
	what: string,
	attempt: () => Promise<T>,
): Promise<T> {
	const deadline = performance.now() + STEP_MS;
	for (;;) {
		let failure: unknown;
		try {
			return await attempt();
		} catch (error) {
			failure = error;
		}
		const { crashed } = parts;
		if (crashed !== undefined) {
			const { how } = await crashed.ended;
			throw new DemoError(
				`${crashed.name} ended (${how}). Its last lines:\n\n${crashed.lastLines(15).replaceAll(/^/gm, "  ")}\n\nAll of it: ${crashed.logFile}`,
			);
		}
		if (performance.now() > deadline) {
			const why = failure instanceof Error ? failure.message : String(failure);
			throw new DemoError(
				`Waited ${STEP_MS / 1000} s in vain for ${what}. The last attempt: ${why}`,
			);
		}
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
}
