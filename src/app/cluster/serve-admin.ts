import { startingApi } from "../../admin/http.ts";
import type { HttpHandler } from "../../lib/handler.ts";
import type { Address } from "../../net/address.ts";
import { type HttpServer, serveHttp } from "../../net/http-server.ts";
import type { Health } from "../../observability/health.ts";
import type { LogControl } from "../../observability/log-control.ts";
import type { Logger } from "../../observability/logger.ts";
import type { MetricsRegistry } from "../../observability/metrics.ts";
import { programVersion } from "../../settings/program-version.ts";
import { healthHandler } from "../admin/health-handler.ts";
import type { Stops } from "../lifecycle/stops.ts";
import type { KubeProblem } from "./kube-problem.ts";

/** What is shown from the start on, and where. */
export interface AdminOptions {
	readonly listen: Address;
	/** Where health and figures are shown to others; undefined for nowhere. */
	readonly healthListen: Address | undefined;
	/** Milliseconds. */
	readonly stopMs: number;
	readonly health: Health;
	readonly metrics: MetricsRegistry;
	readonly logs: LogControl;
	/** What keeps the replica from working as it should. */
	readonly problems: () => readonly KubeProblem[];
	readonly logger: Logger;
}

/** The admin API of a replica that starts. */
export interface ServedAdmin {
	readonly server: HttpServer;
	readonly healthServer: HttpServer | undefined;
	/** Answers as the servers do. */
	readonly handler: HttpHandler;
	/** From now on this answers. */
	show(handler: HttpHandler): void;
}

/**
 * Serves the admin API before there is anything to show but what the replica
 * waits for: it may wait long, for CRDs or a namespace, and somebody has to be told.
 */
export async function serveAdmin(
	options: AdminOptions,
	stops: Stops,
): Promise<ServedAdmin> {
	const { listen, healthListen, health, metrics, logs, logger } = options;
	let current = startingApi({
		version: programVersion,
		readiness: () => health.readiness,
		metrics: () => metrics.print(),
		logs,
		objects: {
			objects: () => [],
			fileProblems: () => [],
			sourceProblems: options.problems,
			buildFailure: () => undefined,
		},
	});
	const handler: HttpHandler = (request, signal) => current(request, signal);
	const limits = { stopMs: options.stopMs };
	const server = stops.own(
		await serveHttp({
			...{ listen, handler, limits },
			log: logger.child({ part: "admin" }),
		}),
	);
	const healthServer =
		healthListen === undefined
			? undefined
			: stops.own(
					await serveHttp({
						...{
							listen: healthListen,
							handler: healthHandler(handler),
							limits,
						},
						log: logger.child({ part: "health" }),
					}),
				);
	return {
		server,
		healthServer,
		handler,
		show: (now) => {
			current = now;
		},
	};
}
