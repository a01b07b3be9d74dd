import type { DistributionReader } from "../controllers/distribution-reader.ts";
import { StatusController } from "../controllers/status.ts";
import type { Clock } from "../lib/clock.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type { MetricsRegistry } from "../observability/metrics.ts";
import {
	MemoryEventWriter,
	MemoryStatusWriter,
} from "../store/memory-writer.ts";
import type { EventWriter, StatusWriter } from "../store/object-writer.ts";
import type { Stops } from "./lifecycle/stops.ts";
import type { Pipeline } from "./mesh-pipeline.ts";
import { addStatusMetrics } from "./metrics/status-metrics.ts";

/** Where statuses come from and go to. */
export interface StatusesParts {
	readonly pipeline: Pipeline;
	readonly distribution: DistributionReader;
	/** Whether everything is known that statuses speak of, besides objects; absent where there is nothing else. */
	readonly isComplete?: Signal<boolean>;
	/** Where statuses and events go besides memory. */
	readonly outside?: {
		readonly statuses: StatusWriter;
		readonly events: EventWriter;
	};
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** What is known about objects, as this process says it. */
export interface Statuses {
	readonly controller: StatusController;
	readonly statuses: MemoryStatusWriter;
	readonly events: MemoryEventWriter;
}

/** Keeps the statuses of all objects in memory, for the admin API, and hands them on. */
export function createStatuses(parts: StatusesParts, stops: Stops): Statuses {
	const { pipeline, distribution, outside, clock, metrics } = parts;
	const { store, mesh, quarantine, changes } = pipeline;
	const statuses = new MemoryStatusWriter();
	const events = new MemoryEventWriter();
	const controller = stops.own(
		new StatusController({
			inputs: {
				objects: store.objects,
				invalid: store.invalid,
				allListed: bothTrue(store.allListed, parts.isComplete, stops),
				mesh: mesh.state,
				distribution,
				heldBack: quarantine.heldBack,
			},
			statuses: {
				write: async (batch) => {
					const startMs = clock.monotonicMs();
					await statuses.write(batch);
					await outside?.statuses.write(batch);
					changes.statusesWritten(batch, startMs, clock.monotonicMs());
				},
				forget: (refs) => {
					statuses.forget(refs);
					outside?.statuses.forget(refs);
				},
			},
			events:
				outside === undefined
					? events
					: {
							note: (event, nowMs) => {
								events.note(event, nowMs);
								outside.events.note(event, nowMs);
							},
						},
			clock,
			logger: parts.logger.child({ part: "status" }),
			metrics,
		}),
	);
	addStatusMetrics(metrics, statuses);
	return { controller, statuses, events };
}

function bothTrue(
	one: Signal<boolean>,
	other: Signal<boolean> | undefined,
	stops: Stops,
): Signal<boolean> {
	if (other === undefined) return one;
	const both = new WritableSignal(one.value && other.value);
	const look = (): void => both.set(one.value && other.value);
	stops.add(one.subscribe(look));
	stops.add(other.subscribe(look));
	return both;
}
