import type { KubernetesAbilities } from "../../../injector/context.ts";
import { kubernetesAbilities } from "../../../injector/kubernetes-abilities.ts";
import type { KubeConnection } from "../../../kube/connection.ts";
import { serverVersion } from "../../../kube/server-version.ts";
import type { Clock } from "../../../lib/clock.ts";
import { type Signal, WritableSignal } from "../../../lib/signal.ts";
import type { Logger } from "../../../observability/logger.ts";
import type { Stops } from "../../lifecycle/stops.ts";

/** How often an API server is asked, which may have become a newer one; and how soon when it did not answer. Milliseconds. */
const askAgainMs = { known: 600_000, failed: 1000 } as const;

/** What the API server can do, asked for again now and then; undefined before it has answered. */
export function watchAbilities(
	parts: {
		readonly connection: KubeConnection;
		readonly clock: Clock;
		readonly logger: Logger;
	},
	stops: Stops,
): Signal<KubernetesAbilities | undefined> {
	const { connection, clock, logger } = parts;
	const abilities = new WritableSignal<KubernetesAbilities | undefined>(
		undefined,
	);
	const stopping = new AbortController();
	let cancel: (() => void) | undefined;
	const ask = async (): Promise<void> => {
		let waitMs: number = askAgainMs.known;
		try {
			abilities.set(
				kubernetesAbilities(await serverVersion(connection, stopping.signal)),
			);
		} catch (error) {
			if (stopping.signal.aborted) return;
			waitMs = askAgainMs.failed;
			logger.debug("The API server's version is not known.", {
				problem: error instanceof Error ? error.message : String(error),
			});
		}
		if (!stopping.signal.aborted)
			cancel = clock.after(waitMs, () => void ask());
	};
	stops.add(() => {
		stopping.abort();
		cancel?.();
	});
	void ask();
	return abilities;
}
