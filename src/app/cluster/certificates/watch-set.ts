import type { KubeConnection } from "../../../kube/connection.ts";
import type { KubeResource } from "../../../kube/resources.ts";
import type { WatchMetrics } from "../../../kube/watch-metrics.ts";
import { watch } from "../../../kube/watcher.ts";
import type { Clock } from "../../../lib/clock.ts";
import { type Signal, WritableSignal } from "../../../lib/signal.ts";
import type { Logger } from "../../../observability/logger.ts";

/** Which objects are watched, and what of each counts. */
export interface WatchedSetOptions<T> {
	readonly connection: KubeConnection;
	readonly resource: KubeResource;
	readonly fieldSelector?: string;
	readonly labelSelector?: string;
	readonly project: (content: Readonly<Record<string, unknown>>) => T;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: WatchMetrics;
}

/** Keeps objects of one kind in all namespaces current while it runs, by `namespace/name`; undefined before they were read. */
export function watchSet<T>(options: WatchedSetOptions<T>): {
	readonly objects: Signal<ReadonlyMap<string, T> | undefined>;
	run(signal: AbortSignal): Promise<void>;
} {
	const objects = new WritableSignal<ReadonlyMap<string, T> | undefined>(
		undefined,
	);
	const watcher = watch<T>({
		...options,
		onChange: () => objects.set(new Map(watcher.items())),
	});
	return { objects, run: (signal) => watcher.run(signal) };
}
