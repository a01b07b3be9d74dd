import { isRecord } from "../../../api/fields.ts";
import type { ObjectVersion, Watched } from "../../../controllers/watched.ts";
import type { KubeConnection } from "../../../kube/connection.ts";
import type { KubeResource } from "../../../kube/resources.ts";
import type { WatchMetrics } from "../../../kube/watch-metrics.ts";
import { watch } from "../../../kube/watcher.ts";
import type { Clock } from "../../../lib/clock.ts";
import { type Signal, WritableSignal } from "../../../lib/signal.ts";
import type { Logger } from "../../../observability/logger.ts";

/** Which object is watched, and what of it counts. */
export interface WatchedObjectOptions<T> {
	readonly connection: KubeConnection;
	readonly resource: KubeResource;
	/** Empty for cluster-scoped kinds. */
	readonly namespace: string;
	readonly name: string;
	readonly parse: (content: unknown) => T;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: WatchMetrics;
}

/** Keeps one object on the API server current while it runs. */
export function watchObject<T>(options: WatchedObjectOptions<T>): {
	readonly object: Signal<Watched<T>>;
	run(signal: AbortSignal): Promise<void>;
} {
	const { connection, resource, namespace, name, parse } = options;
	const object = new WritableSignal<Watched<T>>({ state: "unknown" });
	const watcher = watch<Extract<Watched<T>, { readonly state: "present" }>>({
		connection,
		resource,
		...(namespace !== "" && { namespace }),
		fieldSelector: `metadata.name=${name}`,
		project: (content) => ({
			state: "present",
			value: parse(content),
			version: versionOf(content),
		}),
		isEqual: (a, b) => a.version.resourceVersion === b.version.resourceVersion,
		onChange: () => {
			const [only] = watcher.items().values();
			object.set(only ?? { state: "absent" });
		},
		clock: options.clock,
		logger: options.logger,
		metrics: options.metrics,
	});
	return { object, run: (signal) => watcher.run(signal) };
}

function versionOf(content: Readonly<Record<string, unknown>>): ObjectVersion {
	const metadata = isRecord(content["metadata"]) ? content["metadata"] : {};
	const { resourceVersion, uid } = metadata;
	return {
		resourceVersion: typeof resourceVersion === "string" ? resourceVersion : "",
		uid: typeof uid === "string" ? uid : "",
	};
}
