import type { DistributionReader } from "../../../controllers/distribution-reader.ts";
import { ProxyReporter } from "../../../controllers/proxy-report.ts";
import type { Replicas } from "../../../controllers/replicas.ts";
import type { Leader } from "../../../kube/leadership.ts";
import {
	deleteLeftovers,
	ReplicaPresence,
} from "../../../kube/replica-reports.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { Logger } from "../../../observability/logger.ts";
import type { MetricsRegistry } from "../../../observability/metrics.ts";
import { runInBackground } from "../../lifecycle/background.ts";
import type { Stops } from "../../lifecycle/stops.ts";
import { whenTrue } from "../../lifecycle/when-true.ts";
import type { Pipeline } from "../../mesh-pipeline.ts";
import type { Kube } from "../kube.ts";

/** What joins, and whom. */
export interface JoinParts {
	readonly kube: Kube;
	/** Namespace of Lateen itself. */
	readonly namespace: string;
	/** The name of this replica. */
	readonly replica: string;
	readonly replicas: Replicas;
	readonly pipeline: Pipeline;
	/** How far objects have come among the own proxies. */
	readonly own: DistributionReader;
	readonly leader: Leader;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
	readonly onFailure: (error: unknown) => void;
}

/** Longest wait for the others to know of this replica before it serves proxies all the same. Milliseconds. */
const joinMs = 10_000;

/** How often what replicas that died have left is looked for. Milliseconds. */
const sweepMs = 60_000;

/**
 * Makes this replica one of those whose proxies count, and answers when it is.
 *
 * Proxies are to be let in after that: otherwise an object could be called live
 * while a proxy of this replica lacks it. When the API server cannot be told,
 * they are let in after a while nevertheless.
 */
export async function joinReplicas(
	parts: JoinParts,
	signal: AbortSignal,
	stops: Stops,
): Promise<void> {
	const { kube, namespace, replica, pipeline, own, clock, metrics } = parts;
	const { client } = kube;
	const logger = parts.logger.child({ part: "replicas" });
	const reporter: ProxyReporter = stops.own(
		new ProxyReporter({
			inputs: {
				mesh: pipeline.mesh.state,
				heldBack: pipeline.quarantine.heldBack,
				distribution: own,
				forms: pipeline.quarantine.told,
			},
			writer: {
				write: (shard, objects) => presence.write(shard, objects),
			},
			clock,
			logger,
			metrics,
		}),
	);
	const presence = new ReplicaPresence({
		client,
		namespace,
		replica,
		publish: () => reporter.publish(),
		clock,
		logger,
	});
	const failed = runInBackground(
		"The presence of this replica",
		(running) => presence.run(running),
		parts.onFailure,
		stops,
	);
	keepTidy(parts, logger, stops);
	const late = AbortSignal.timeout(joinMs);
	await Promise.race([
		failed,
		whenTrue(
			presence.isPresent,
			(isPresent) => isPresent,
			AbortSignal.any([signal, late]),
		).catch((error: unknown) => {
			signal.throwIfAborted();
			if (!late.aborted) throw error;
		}),
	]);
}

/** Removes, as leader, what replicas have left that died without saying so. */
function keepTidy(
	{ kube, namespace, replicas, leader, clock }: JoinParts,
	logger: Logger,
	stops: Stops,
): void {
	// Of a new replica the report may be seen before the Lease; so what is removed was there a sweep ago, too.
	let reportsBefore: ReadonlySet<string> = new Set();
	let cancel: () => void = () => undefined;
	const sweep = async (): Promise<void> => {
		const { leases, reports } = replicas.leftovers();
		const old = reports.filter((name) => reportsBefore.has(name));
		reportsBefore = new Set(reports);
		if (leader.isLeader())
			await deleteLeftovers(
				kube.client,
				namespace,
				{ leases, reports: old },
				() => leader.isLeader(),
			);
	};
	const again = (): void => {
		cancel = clock.after(sweepMs, () => {
			void sweep()
				.catch((error: unknown) =>
					logger.info(
						"What a replica that is gone has left cannot be removed; it is tried again.",
						{ error },
					),
				)
				.then(again);
		});
	};
	again();
	stops.add(() => cancel());
}
