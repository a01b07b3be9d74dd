import type { Clock } from "../../lib/clock.ts";
import type { Health } from "../../observability/health.ts";
import type { Logger } from "../../observability/logger.ts";

/** A start that takes no longer needs no words. Milliseconds. */
const firstMs = 10_000;

/** Time between two lines after that. Milliseconds. */
const againMs = 60_000;

/** Logs from time to time what a server still waits for, until it is ready or the returned function is called. */
export function sayWaiting(
	health: Health,
	{ clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): () => void {
	let cancel: () => void = () => undefined;
	const plan = (delayMs: number): void => {
		cancel = clock.after(delayMs, () => {
			const { ready, waitingFor } = health.readiness;
			if (ready) return;
			logger.warn("The server is not ready yet.", { waitingFor });
			plan(againMs);
		});
	};
	plan(firstMs);
	void health.whenReady().then(() => cancel());
	return () => cancel();
}
