import { isRecord } from "../api/fields.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { Clock } from "../lib/clock.ts";
import { isCancelled } from "../lib/is-cancelled.ts";
import type { Logger } from "../observability/logger.ts";
import type { KubeConnection } from "./connection.ts";
import type { Leader } from "./leadership.ts";
import type { KubeResource } from "./resources.ts";
import type { SeenStatus } from "./seen-statuses.ts";
import { type WatchedChange, watch } from "./watcher.ts";

/** What the watch works with. */
export interface StatusWatchOptions {
	readonly connection: KubeConnection;
	/** Nothing is watched on a replica that does not lead. */
	readonly leader: Leader;
	/** Kinds whose statuses are written. */
	readonly kinds: readonly KubeResource[];
	/** Hears of every object and every change; see `KubeStatusWriter.observe`. */
	readonly observe: (ref: ObjectRef, seen: SeenStatus) => void;
	readonly clock: Clock;
	readonly logger: Logger;
}

/** An object as far as its status goes. */
interface Observed {
	readonly ref: ObjectRef;
	readonly seen: SeenStatus;
}

/**
 * Watches what statuses are on the server while this replica leads, until aborted.
 *
 * It saves the writer from reading before it writes, and shows it what others
 * have changed. It is apart from the source of objects, which does not look at
 * statuses: there each of our own writes would be a change.
 */
export async function watchStatuses(
	options: StatusWatchOptions,
	signal: AbortSignal,
): Promise<void> {
	const { leader } = options;
	while (!signal.aborted) {
		const ended = new AbortController();
		const end = (): void => ended.abort();
		signal.addEventListener("abort", end);
		const stop = leader.state.subscribe(end);
		try {
			if (leader.state.value) await watchAll(options, ended.signal);
			await whenAborted(ended.signal);
		} finally {
			stop();
			signal.removeEventListener("abort", end);
		}
	}
}

async function watchAll(
	{ kinds, observe, ...shared }: StatusWatchOptions,
	signal: AbortSignal,
): Promise<void> {
	const watchers = kinds.map((resource) =>
		watch<Observed>({
			connection: shared.connection,
			clock: shared.clock,
			logger: shared.logger,
			resource,
			project: (object) => project(resource.kind, object),
			onChange: (change) => {
				for (const { ref, seen } of changed(change)) observe(ref, seen);
			},
		}),
	);
	try {
		await Promise.all(watchers.map((watcher) => watcher.run(signal)));
	} catch (error) {
		if (!isCancelled(error)) throw error;
	}
}

function changed(change: WatchedChange<Observed>): Iterable<Observed> {
	return change.type === "listed"
		? change.items.values()
		: change.changes.flatMap((one) => (one.op === "put" ? [one.value] : []));
}

function project(
	kind: string,
	object: Readonly<Record<string, unknown>>,
): Observed {
	const metadata = isRecord(object["metadata"]) ? object["metadata"] : {};
	const text = (name: string): string => {
		const value = metadata[name];
		return typeof value === "string" ? value : "";
	};
	const { generation } = metadata;
	return {
		ref: { kind, namespace: text("namespace"), name: text("name") },
		seen: {
			uid: text("uid"),
			resourceVersion: text("resourceVersion"),
			generation: typeof generation === "number" ? generation : 0,
			status: object["status"],
		},
	};
}

function whenAborted(signal: AbortSignal): Promise<void> {
	return new Promise((resolve) => {
		if (signal.aborted) resolve();
		else signal.addEventListener("abort", () => resolve());
	});
}
