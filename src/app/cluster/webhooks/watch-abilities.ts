import type { KubernetesAbilities } from "../../../injector/context.ts";
import { kubernetesAbilities } from "../../../injector/kubernetes-abilities.ts";
import type { KubeConnection } from "../../../kube/connection.ts";
import { serverVersion } from "../../../kube/server-version.ts";
import type { Clock } from "../../../lib/clock.ts";
import { pause } from "../../../lib/pause.ts";
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
	const { signal } = stopping;
	const ask = async (): Promise<number> => {
		try {
			abilities.set(
				kubernetesAbilities(await serverVersion(connection, signal)),
			);
			return askAgainMs.known;
		} catch (error) {
			if (!signal.aborted)
				logger.debug("The API server's version is not known.", {
					problem: error instanceof Error ? error.message : String(error),
				});
			return askAgainMs.failed;
		}
	};
	const run = async (): Promise<void> => {
		while (!signal.aborted) await pause(clock, await ask(), signal);
	};
	stops.add(() => stopping.abort());
	void run();
	return abilities;
}
