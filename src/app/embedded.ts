/*
 * Embedded mode, wired together:
 *
 *   directory ─▶ objects ─▶ mesh ─▶ ADS ─▶ gRPC on loopback
 *                   └─────────┴──────┴─▶ statuses ─▶ admin API
 *
 * What must outlive the process is in the state directory.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { WritableSignal } from "../lib/signal.ts";
import { systemClock } from "../lib/system-clock.ts";
import { printAddress } from "../net/address.ts";
import { serveHttp } from "../net/http-server.ts";
import { Health } from "../observability/health.ts";
import { createDirectorySource } from "../sources/directory.ts";
import type { FileProblem } from "../sources/file-problem.ts";
import { authenticate } from "../xds/server/authenticate.ts";
import { adminHandler } from "./admin/admin-handler.ts";
import { startTracing } from "./changes/start-tracing.ts";
import { lastGoodFiles } from "./embedded/last-good-files.ts";
import { readOrCreateTokenKey } from "./embedded/token-key.ts";
import {
	parseAddress,
	parseAdminListen,
	printAdmin,
} from "./lifecycle/places.ts";
import { conditions, runSource } from "./lifecycle/run-source.ts";
import {
	type RunningServer,
	type ServerTools,
	startStoppable,
} from "./lifecycle/running-server.ts";
import type { ServeSettings } from "./lifecycle/serve-settings.ts";
import { takeStateDir } from "./lifecycle/state-dir.ts";
import type { Stops } from "./lifecycle/stops.ts";
import { createPipeline } from "./mesh-pipeline.ts";
import { createMetrics } from "./metrics/create-metrics.ts";
import { logFileProblems, logProblems } from "./problem-log.ts";
import { distributionReader } from "./proxies/distribution-reader.ts";
import { serveProxies } from "./proxies/serve-proxies.ts";
import { createStatuses } from "./statuses.ts";

const sourceName = "directory";

/**
 * Starts the server on a folder of files and answers when it is ready.
 *
 * Guarantees: when the start fails or is aborted, nothing is left running.
 * Fails when: a setting cannot be used, an address is taken, or another server
 *   has the state directory; then with a `CodedError`.
 */
export function startEmbedded(
	directory: string,
	settings: ServeSettings,
	tools: ServerTools,
): Promise<RunningServer> {
	return startStoppable((stops) => start(directory, settings, tools, stops));
}

async function start(
	directory: string,
	settings: ServeSettings,
	{ logger, logs, environment, signal, onFailure }: ServerTools,
	stops: Stops,
): Promise<Omit<RunningServer, typeof Symbol.asyncDispose>> {
	const clock = systemClock;
	const stateDir = stops.own(await takeStateDir(settings.stateDir));
	const adminListen = parseAdminListen(settings.adminListen, stateDir.path);
	const key = await readOrCreateTokenKey(stateDir.path);

	const metrics = createMetrics(logs, stops);
	const health = new Health(Object.values(conditions));
	const spans = startTracing(
		{
			...{ settings, environment, clock, logger, metrics },
			instance: randomUUID(),
		},
		stops,
	);
	const pipeline = await createPipeline(
		{
			sourceName,
			lastGood: lastGoodFiles(
				join(stateDir.path, "last-good"),
				logger.child({ part: "quarantine" }),
			),
			holdOff: { quietMs: settings.holdOffQuiet, maxMs: settings.holdOffMax },
			clock,
			logger,
			metrics,
			...(spans !== undefined && { spans }),
		},
		stops,
	);
	const { store, mesh, catalog } = pipeline;
	const statuses = createStatuses(
		{
			pipeline,
			distribution: distributionReader(catalog.distribution),
			clock,
			logger,
			metrics,
		},
		stops,
	);
	const fileProblems = new WritableSignal<readonly FileProblem[]>([]);
	stops.add(logFileProblems(fileProblems, logger));
	const source = createDirectorySource({
		name: sourceName,
		root: directory,
		clock,
		problems: (problems) => fileProblems.set(problems),
		// Kinds that are not read are among the problems, too.
		report: () => undefined,
	});
	const placeOf = source.placeOf.bind(source);
	stops.add(
		logProblems({ invalid: store.invalid, mesh: mesh.state, placeOf }, logger),
	);
	const admin = stops.own(
		await serveHttp({
			listen: adminListen,
			handler: adminHandler({
				pipeline,
				statuses,
				health,
				metrics,
				logs,
				fileProblems: () => fileProblems.value,
				placeOf,
			}),
			limits: { stopMs: settings.stopTimeout },
			log: logger.child({ part: "admin" }),
		}),
	);
	await runSource(source, pipeline, { health, signal, onFailure }, stops);
	const grpc = stops.own(
		await serveProxies({
			listen: parseAddress(settings.xdsListen),
			pipeline,
			authenticate: (peer, claims) =>
				authenticate({ peer, claims, key, nowMs: clock.nowMs() }),
			settings,
			clock,
			logger,
			metrics,
		}),
	);
	await stateDir.announce({
		pid: process.pid,
		xds: printAddress(grpc.address),
		admin: printAdmin(admin.address),
	});
	health.reached(conditions.listening);
	return { xds: grpc.address, admin: admin.address, stateDir: stateDir.path };
}
