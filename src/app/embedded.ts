/*
 * Embedded mode, wired together:
 *
 *   directory ─▶ ObjectStore ─▶ MeshController ─▶ Catalog ─▶ ADS ─▶ gRPC on loopback
 *                     │   Quarantine ──┘◀──── accepted, refused ──┘
 *                     ├───────────────┼──────────────┴─▶ StatusController
 *                     └───────────────┴───────────────────────┴───▶ admin API
 *
 * Proxies are let in only once there is a mesh: one that was told of an empty
 * mesh would drop what it still serves with.
 */
import { join } from "node:path";
import { adminApi } from "../admin/http.ts";
import { LastGoodKeeper } from "../controllers/last-good.ts";
import { MeshController } from "../controllers/mesh.ts";
import { Quarantine } from "../controllers/quarantine.ts";
import { StatusController } from "../controllers/status.ts";
import { isCancelled } from "../lib/is-cancelled.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import { systemClock } from "../lib/system-clock.ts";
import { buildMesh, type MeshBuild } from "../mesh/build.ts";
import { type Address, printAddress } from "../net/address.ts";
import { serveGrpc } from "../net/grpc-server.ts";
import { serveHttp } from "../net/http-server.ts";
import { Health } from "../observability/health.ts";
import type { Logger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { addProcessMetrics } from "../observability/process-metrics.ts";
import { programVersion } from "../settings/program-version.ts";
import type { serveSchema } from "../settings/schema.ts";
import type { Values } from "../settings/setting.ts";
import { createDirectorySource } from "../sources/directory.ts";
import type { FileProblem } from "../sources/file-problem.ts";
import {
	MemoryEventWriter,
	MemoryStatusWriter,
} from "../store/memory-writer.ts";
import { ObjectStore } from "../store/object-store.ts";
import { refKey } from "../store/ref-key.ts";
import { Catalog } from "../xds/catalog/catalog.ts";
import { Proof } from "../xds/proof.ts";
import { adsMethods } from "../xds/server/ads.ts";
import { authenticate } from "../xds/server/authenticate.ts";
import { ConnectedProxies } from "../xds/server/connected-proxies.ts";
import { distributionReader } from "./distribution-reader.ts";
import { lastGoodFiles } from "./last-good-files.ts";
import { addObjectMetrics } from "./object-metrics.ts";
import { objectsReader } from "./objects-reader.ts";
import { parseAddress, parseAdminListen, parseSource } from "./parse-places.ts";
import { logFileProblems, logProblems } from "./problem-log.ts";
import { proxiesReader } from "./proxies-reader.ts";
import { proxyVerdicts } from "./proxy-verdicts.ts";
import { snapshotsReader } from "./snapshots-reader.ts";
import { takeStateDir } from "./state-dir.ts";
import { addStatusMetrics } from "./status-metrics.ts";
import { statusReader } from "./status-reader.ts";
import { Stops } from "./stops.ts";
import { readOrCreateTokenKey } from "./token-key.ts";
import { addXdsMetrics } from "./xds-metrics.ts";

/** The values of the settings of `lateen serve`. */
export type ServeSettings = Values<typeof serveSchema>;

/** What the server is given besides its settings. */
export interface EmbeddedTools {
	readonly logger: Logger;
	/** Ends the start when it takes too long for whoever waits. */
	readonly signal: AbortSignal;
	/** Is told of a part that stopped and should not have; the server is of no use then. */
	readonly onFailure: (error: unknown) => void;
}

/** A server that is ready; disposing of it stops it gracefully. */
export interface Embedded extends AsyncDisposable {
	/** Where proxies connect. */
	readonly xds: Address;
	readonly admin: Address;
	/** Absolute. */
	readonly stateDir: string;
}

const conditions = {
	listed: "the source has listed everything",
	built: "the first mesh is built",
	listening: "the xDS server listens",
} as const;

const sourceName = "directory";

/**
 * Starts the server and answers when it is ready.
 *
 * Guarantees: when the start fails or is aborted, nothing is left running.
 * Fails when: a setting cannot be used, an address is taken, or another server
 *   has the state directory; then with a `CodedError`.
 */
export async function startEmbedded(
	settings: ServeSettings,
	tools: EmbeddedTools,
): Promise<Embedded> {
	const stops = new Stops();
	try {
		const started = await start(settings, tools, stops);
		return {
			...started,
			[Symbol.asyncDispose]: () => stops[Symbol.asyncDispose](),
		};
	} catch (error) {
		await stops[Symbol.asyncDispose]();
		throw error;
	}
}

async function start(
	settings: ServeSettings,
	{ logger, signal, onFailure }: EmbeddedTools,
	stops: Stops,
): Promise<Omit<Embedded, typeof Symbol.asyncDispose>> {
	const { directory } = parseSource(settings.source);
	const stateDir = stops.own(await takeStateDir(settings.stateDir));
	const adminListen = parseAdminListen(settings.adminListen, stateDir.path);
	const key = await readOrCreateTokenKey(stateDir.path);

	const metrics = new MetricsRegistry();
	stops.add(addProcessMetrics(metrics));
	const health = new Health(Object.values(conditions));
	const quarantineLog = logger.child({ part: "quarantine" });
	const lastGood = lastGoodFiles(
		join(stateDir.path, "last-good"),
		quarantineLog,
	);
	const remembered = await lastGood.read().catch((error: unknown) => {
		quarantineLog.warn(
			"The last good forms of objects cannot be read; what is refused now is not served.",
			{ error },
		);
		return [];
	});
	const store = new ObjectStore(
		[sourceName],
		new Map(
			remembered.flatMap(({ ref, valid }) =>
				valid === undefined ? [] : [[refKey(ref), valid] as const],
			),
		),
	);
	const catalog = new Catalog();
	const connected = new ConnectedProxies();
	const proof = new Proof();
	const quarantine = stops.own(
		new Quarantine({
			inputs: {
				objects: store.objects,
				invalid: store.invalid,
				allListed: store.allListed,
				verdicts: proxyVerdicts(
					connected,
					catalog.distribution,
					proof,
					systemClock,
				),
			},
			remembered,
			sink: stops.own(
				new LastGoodKeeper({
					store: lastGood,
					clock: systemClock,
					logger: quarantineLog,
					metrics,
				}),
			),
			clock: systemClock,
			logger: quarantineLog,
			metrics,
		}),
	);
	const controller = stops.own(
		new MeshController({
			inputs: { objects: quarantine.objects, allListed: store.allListed },
			build: (objects, previous: MeshBuild | undefined) =>
				buildMesh(quarantine.effective(objects), previous),
			apply: (mesh) => catalog.update(mesh),
			holdOff: { quietMs: settings.holdOffQuiet, maxMs: settings.holdOffMax },
			clock: systemClock,
			logger: logger.child({ part: "mesh" }),
			metrics,
		}),
	);
	stops.add(
		controller.state.subscribe(({ failure }) => {
			if (failure === undefined) quarantine.built();
		}),
	);
	addObjectMetrics(metrics, {
		objects: store.objects,
		invalid: store.invalid,
		mesh: controller.state,
		catalog,
	});
	const statuses = new MemoryStatusWriter();
	const events = new MemoryEventWriter();
	stops.own(
		new StatusController({
			inputs: {
				objects: store.objects,
				invalid: store.invalid,
				allListed: store.allListed,
				mesh: controller.state,
				distribution: distributionReader(catalog.distribution),
				heldBack: quarantine.heldBack,
			},
			statuses,
			events,
			clock: systemClock,
			logger: logger.child({ part: "status" }),
			metrics,
		}),
	);
	addStatusMetrics(metrics, statuses);
	const fileProblems = new WritableSignal<readonly FileProblem[]>([]);
	stops.add(logFileProblems(fileProblems, logger));
	const source = createDirectorySource({
		name: sourceName,
		root: directory,
		clock: systemClock,
		problems: (problems) => fileProblems.set(problems),
		// Kinds that are not read are among the problems, too.
		report: () => undefined,
	});

	stops.add(
		logProblems(
			{
				invalid: store.invalid,
				mesh: controller.state,
				placeOf: (ref) => source.placeOf(ref),
			},
			logger,
		),
	);

	const admin = stops.own(
		await serveHttp({
			listen: adminListen,
			handler: adminApi({
				version: programVersion,
				readiness: () => health.readiness,
				metrics: () => metrics.print(),
				objects: objectsReader({
					objects: store.objects,
					invalid: store.invalid,
					mesh: controller.state,
					fileProblems: () => fileProblems.value,
					placeOf: (ref) => source.placeOf(ref),
				}),
				proxies: proxiesReader(connected, catalog),
				snapshots: snapshotsReader(connected, catalog),
				status: statusReader({
					objects: store.objects,
					invalid: store.invalid,
					statuses,
					events,
					placeOf: (ref) => source.placeOf(ref),
				}),
			}),
			limits: { stopMs: settings.stopTimeout },
			log: logger.child({ part: "admin" }),
		}),
	);

	const running = new AbortController();
	const ended = source
		.run(store.sinkOf(sourceName), running.signal)
		.catch((error: unknown) => {
			if (!isCancelled(error)) throw error;
		});
	const failed = ended.then(() => {
		if (!running.signal.aborted) throw new Error("The source ended by itself.");
	});
	failed.catch(onFailure);
	stops.add(async () => {
		running.abort();
		await ended.catch(() => undefined);
	});

	await Promise.race([
		failed,
		whenTrue(store.allListed, (listed) => listed, signal),
	]);
	health.reached(conditions.listed);
	await Promise.race([
		failed,
		whenTrue(controller.state, ({ mesh }) => mesh !== undefined, signal),
	]);
	health.reached(conditions.built);

	const grpc = stops.own(
		await serveGrpc({
			listen: parseAddress(settings.xdsListen),
			methods: adsMethods({
				directory: catalog,
				authenticate: (peer, claims) =>
					authenticate({ peer, claims, key, nowMs: systemClock.nowMs() }),
				connected,
				proof,
				clock: systemClock,
				log: logger.child({ part: "xds" }),
				figures: addXdsMetrics(metrics, connected),
				limits: {
					maxNames: settings.maxNamesPerSubscription,
					removalDelayMs: settings.removalDelay,
				},
			}),
			limits: {
				maxStreams: settings.maxStreams,
				maxRequestBytes: settings.maxMessageSize,
				blockedWriteMs: settings.maxBlockedTime,
				stopMs: settings.stopTimeout,
			},
			log: logger.child({ part: "xds" }),
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

/** How `serve.json` and `--server` write the address of the admin API. */
export function printAdmin(address: Address): string {
	const text = printAddress(address);
	return "path" in address ? `unix:${text}` : text;
}

function whenTrue<T>(
	watched: Signal<T>,
	isTrue: (value: T) => boolean,
	signal: AbortSignal,
): Promise<void> {
	return new Promise((resolve, reject) => {
		signal.throwIfAborted();
		if (isTrue(watched.value)) {
			resolve();
			return;
		}
		const stop = watched.subscribe((value) => {
			if (!isTrue(value)) return;
			finish();
			resolve();
		});
		const aborted = (): void => {
			finish();
			reject(signal.reason);
		};
		const finish = (): void => {
			stop();
			signal.removeEventListener("abort", aborted);
		};
		signal.addEventListener("abort", aborted);
	});
}
