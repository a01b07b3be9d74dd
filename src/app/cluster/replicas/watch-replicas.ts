import type { ProxyReport } from "../../../api/proxy-report.ts";
import type { Replicas, SeenLease } from "../../../controllers/replicas.ts";
import type { KubeConnection } from "../../../kube/connection.ts";
import {
	parseNamedReport,
	parseReplicaLease,
	replicaLeaseSelector,
} from "../../../kube/replica-reports.ts";
import { resources } from "../../../kube/resources.ts";
import type { WatchMetrics } from "../../../kube/watch-metrics.ts";
import { type WatchedChange, watch } from "../../../kube/watcher.ts";
import type { Clock } from "../../../lib/clock.ts";
import { type Signal, WritableSignal } from "../../../lib/signal.ts";
import type { Logger } from "../../../observability/logger.ts";
import { type KubeProblem, kubeProblem } from "../kube-problem.ts";

/** Where replicas are looked for. */
export interface WatchReplicasOptions {
	readonly connection: KubeConnection;
	/** Namespace of Lateen itself. */
	readonly namespace: string;
	readonly replicas: Replicas;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: WatchMetrics;
}

/** Tells the register of replicas what the API server has of them, while it runs. */
export function watchReplicas(options: WatchReplicasOptions): {
	/** Whether everything that existed at the start is known. */
	readonly allListed: Signal<boolean>;
	/** What keeps them from being known as they are. */
	problems(): readonly KubeProblem[];
	run(signal: AbortSignal): Promise<void>;
} {
	const { connection, namespace, replicas, clock, logger, metrics } = options;
	const allListed = new WritableSignal(false);
	const unlisted = new Set(["leases", "reports"]);
	const listed = (what: string): void => {
		unlisted.delete(what);
		if (unlisted.size === 0) allListed.set(true);
	};
	const shared = { connection, namespace, clock, logger, metrics };
	const leases = watch<SeenLease | undefined>({
		...shared,
		resource: resources.Lease,
		labelSelector: replicaLeaseSelector,
		project: parseReplicaLease,
		onChange: (change) => {
			takeLeases(replicas, change);
			listed("leases");
		},
	});
	const reports = watch<
		{ readonly name: string; readonly report: ProxyReport } | undefined
	>({
		...shared,
		resource: resources.ProxyReport,
		project: parseNamedReport,
		onChange: (change) => {
			takeReports(replicas, change);
			listed("reports");
		},
	});
	return {
		allListed,
		problems: () =>
			[
				{ resource: resources.Lease, watcher: leases },
				{ resource: resources.ProxyReport, watcher: reports },
			].flatMap(({ resource, watcher }) =>
				kubeProblem(resource, watcher.status.value.problem),
			),
		run: async (signal) => {
			const stop = reports.status.subscribe(({ isMissing }) => {
				// Without the CRD nobody can report, and what is said is about this replica alone.
				if (isMissing) listed("reports");
			});
			try {
				await Promise.all([leases.run(signal), reports.run(signal)]);
			} finally {
				stop();
			}
		},
	};
}

function takeLeases(
	replicas: Replicas,
	change: WatchedChange<SeenLease | undefined>,
): void {
	if (change.type === "listed") {
		replicas.replaceLeases(
			[...change.items.values()].flatMap((lease) => lease ?? []),
		);
		return;
	}
	for (const { op, value } of change.changes) {
		if (value === undefined) continue;
		if (op === "put") replicas.putLease(value);
		else replicas.deleteLease(value.replica);
	}
}

function takeReports(
	replicas: Replicas,
	change: WatchedChange<
		{ readonly name: string; readonly report: ProxyReport } | undefined
	>,
): void {
	if (change.type === "listed") {
		replicas.replaceReports(
			new Map(
				[...change.items.values()].flatMap((one) =>
					one === undefined ? [] : [[one.name, one.report] as const],
				),
			),
		);
		return;
	}
	for (const { op, value } of change.changes) {
		if (value === undefined) continue;
		if (op === "put") replicas.putReport(value.name, value.report);
		else replicas.deleteReport(value.name);
	}
}
