import { adminApi } from "../../admin/http.ts";
import type { SourceProblemState } from "../../admin/readers.ts";
import type { ObjectRef } from "../../api/object-ref.ts";
import type { Position } from "../../api/violation.ts";
import type { HttpHandler } from "../../lib/handler.ts";
import type { Health } from "../../observability/health.ts";
import type { LogControl } from "../../observability/log-control.ts";
import type { MetricsRegistry } from "../../observability/metrics.ts";
import { programVersion } from "../../settings/program-version.ts";
import type { FileProblem } from "../../sources/file-problem.ts";
import type { Pipeline } from "../mesh-pipeline.ts";
import type { Statuses } from "../statuses.ts";
import { objectsReader } from "./objects-reader.ts";
import { proxiesReader } from "./proxies-reader.ts";
import { snapshotsReader } from "./snapshots-reader.ts";
import { statusReader } from "./status-reader.ts";

/** What the admin API shows. */
export interface AdminParts {
	readonly pipeline: Pipeline;
	readonly statuses: Statuses;
	readonly health: Health;
	readonly metrics: MetricsRegistry;
	readonly logs: LogControl;
	/** What is wrong with files that hold no object that could say it. */
	readonly fileProblems: () => readonly FileProblem[];
	/** What keeps objects from being current. */
	readonly sourceProblems?: () => readonly SourceProblemState[];
	/** Where an object begins, when its source has files. */
	readonly placeOf: (ref: ObjectRef) => Position | undefined;
}

/** The admin API over the parts of a running server. */
export function adminHandler(parts: AdminParts): HttpHandler {
	const { pipeline, health, metrics, logs, fileProblems, placeOf } = parts;
	const { store, mesh, connected, catalog } = pipeline;
	const { objects, invalid } = store;
	return adminApi({
		version: programVersion,
		readiness: () => health.readiness,
		metrics: () => metrics.print(),
		logs,
		objects: objectsReader({
			objects,
			invalid,
			mesh: mesh.state,
			fileProblems,
			...(parts.sourceProblems !== undefined && {
				sourceProblems: parts.sourceProblems,
			}),
			placeOf,
		}),
		proxies: proxiesReader(connected, catalog),
		snapshots: snapshotsReader(connected, catalog),
		status: statusReader({
			objects,
			invalid,
			statuses: parts.statuses.statuses,
			events: parts.statuses.events,
			isComplete: parts.statuses.controller.isComplete,
			placeOf,
		}),
	});
}
