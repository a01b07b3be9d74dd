import {
	type MetricsRegistry,
	slowSecondsBuckets,
} from "../../observability/metrics.ts";

/** How far a change has come. */
export type ChangeStage =
	/** The mesh with it is in force, and what it touches is generated. */
	| "built"
	/** Its last response is handed over for writing. */
	| "sent"
	/** Every proxy that needs it has it. */
	| "acknowledged"
	/** The status of its objects says so. */
	| "written";

/** How the way of a change to proxies ended. */
export type ChangeResult =
	| "acknowledged"
	/** No connected proxy needs it. */
	| "unneeded"
	/** A newer change of the same objects came before every proxy had it. */
	| "superseded"
	/** Some proxy has not said in time that it has it. */
	| "late"
	/** So many are on their way that it is no longer followed. */
	| "unfollowed";

/** Every way in which it can end. */
export const changeResults: readonly ChangeResult[] = [
	"acknowledged",
	"unneeded",
	"superseded",
	"late",
	"unfollowed",
];

/** Is told what becomes of changes. */
export interface ChangeFigures {
	reached(stage: ChangeStage, seconds: number): void;
	ended(result: ChangeResult): void;
}

/** Makes the figures about changes. */
export function changeFigures(
	metrics: MetricsRegistry,
	pending: () => number,
): ChangeFigures {
	const seconds = metrics.histogram(
		"lateen_change_seconds",
		"Time from when the first object of a change was read from its source until a stage is reached: built, sent (its last response is handed over), acknowledged (by every proxy that needs it) or written (its status says so).",
		slowSecondsBuckets,
		["stage"],
	);
	const ended = metrics.counter(
		"lateen_changes_total",
		"Changes that touched what proxies may have, by result: acknowledged, unneeded (by any connected proxy), superseded (by a newer one), late (some proxy did not have it within 30 s) or unfollowed (too many were on their way).",
		["result"],
	);
	const underway = metrics.gauge(
		"lateen_changes_pending",
		"Changes that some proxy has not acknowledged yet.",
	);
	for (const result of changeResults) ended.add(0, { result });
	metrics.beforePrint(() => underway.set(pending()));
	return {
		reached: (stage, value) => seconds.observe(value, { stage }),
		ended: (result) => ended.add(1, { result }),
	};
}
