import type { KubeConnection } from "../../kube/connection.ts";
import { loadKubeConfig } from "../../kube/kube-config.ts";
import { measuredConnection } from "../../kube/measured-connection.ts";
import { ObjectClient } from "../../kube/object-client.ts";
import { openConnection } from "../../kube/open-connection.ts";
import {
	addWatchMetrics,
	type WatchMetrics,
} from "../../kube/watch-metrics.ts";
import { systemClock } from "../../lib/system-clock.ts";
import type { MetricsRegistry } from "../../observability/metrics.ts";
import { programVersion } from "../../settings/program-version.ts";
import type { ServeSettings } from "../lifecycle/serve-settings.ts";
import type { Stops } from "../lifecycle/stops.ts";

/** The way to the API server, and what goes over it. */
export interface Kube {
	readonly connection: KubeConnection;
	readonly client: ObjectClient;
	readonly watchMetrics: WatchMetrics;
}

/**
 * Finds the API server; nothing is asked of it yet.
 *
 * Fails when: there is no configuration, or it cannot be used; then with a `KubeError`.
 */
export async function findKube(
	settings: Pick<ServeSettings, "kubeconfig" | "context">,
	environment: Readonly<Record<string, string | undefined>>,
	metrics: MetricsRegistry,
	stops: Stops,
): Promise<Kube> {
	const { kubeconfig, context } = settings;
	const access = await loadKubeConfig({
		...(kubeconfig !== undefined && { kubeconfig }),
		...(context !== undefined && { context }),
		environment,
		clock: systemClock,
	});
	const opened = stops.own(
		openConnection(access, {
			clock: systemClock,
			userAgent: `lateen/${programVersion}`,
		}),
	);
	const connection = measuredConnection(opened, metrics, systemClock);
	return {
		connection,
		client: new ObjectClient(connection),
		watchMetrics: addWatchMetrics(metrics),
	};
}
