import { KubeError } from "../../kube/kube-error.ts";
import { backoffMs } from "../../lib/backoff.ts";
import type { Clock } from "../../lib/clock.ts";
import { pause } from "../../lib/pause.ts";
import type { Logger } from "../../observability/logger.ts";
import type { LastGoodStore } from "../../store/last-good.ts";

/** Wait before it is tried again for the first time. Milliseconds. */
const firstWaitMs = 250;

/** Longest wait before it is tried again. Milliseconds. */
const maxWaitMs = 5000;

/**
 * A store that is asked until it answers: who started without what it keeps
 * would take away from proxies what a refused object had become before.
 */
export function patientStore(
	store: LastGoodStore,
	tools: {
		readonly clock: Clock;
		readonly logger: Logger;
		/** Hears why it has to be tried again, and undefined when it is read. */
		readonly onTrouble: (error: unknown) => void;
		/** Ends the wait. */
		readonly signal: AbortSignal;
	},
): LastGoodStore {
	return {
		read: async () => {
			for (let failed = 0; ; failed += 1) {
				try {
					const entries = await store.read();
					tools.onTrouble(undefined);
					return entries;
				} catch (error) {
					tools.signal.throwIfAborted();
					tools.onTrouble(error);
					if (failed === 0)
						tools.logger.warn(
							"The last good forms of objects cannot be read from the API server. Proxies are not served before they are; it is tried again.",
							{ error },
						);
					await pause(tools.clock, waitMs(error, failed), tools.signal);
					tools.signal.throwIfAborted();
				}
			}
		},
		write: (entry) => store.write(entry),
		remove: (ref) => store.remove(ref),
	};
}

/** Doubles, but is no shorter than the API server asks for. */
function waitMs(error: unknown, failed: number): number {
	const askedMs = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
	return Math.min(maxWaitMs, Math.max(askedMs, backoffMs(failed, firstWaitMs)));
}
