/*
 * Cluster mode, wired together:
 *
 *   API server ─▶ objects ─▶ mesh ─▶ ADS ─▶ gRPC over TLS ◀─ proxies, with tokens of their pods
 *       ▲            └─────────┴──────┴─▶ statuses, of the proxies of all replicas
 *       │                                     │
 *       ├──── reports of other replicas ──────┤
 *       └──── written by the leader alone ◀───┘
 *
 * Every replica does all of it but write: so each answers the same to `lateen get`,
 * and whoever leads next has everything to say at hand. docs/adr/0007-replicas.md
 * says why.
 */
import { randomBytes, randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { ownKinds } from "../api/own-kinds.ts";
import { controllerFigures } from "../controllers/controller.ts";
import { Replicas } from "../controllers/replicas.ts";
import { tellOfSkippedPods } from "../controllers/skipped-pods.ts";
import { KubeEventWriter } from "../kube/event-writer.ts";
import { LastGoodObjects } from "../kube/last-good-objects.ts";
import { Leadership } from "../kube/leadership.ts";
import { resources } from "../kube/resources.ts";
import { watchStatuses } from "../kube/status-watch.ts";
import { KubeStatusWriter } from "../kube/status-writer.ts";
import { TokenReviewer } from "../kube/token-review.ts";
import { WritePacer } from "../kube/write-pacer.ts";
import { WritableSignal } from "../lib/signal.ts";
import { systemClock } from "../lib/system-clock.ts";
import { printAddress } from "../net/address.ts";
import { Health } from "../observability/health.ts";
import { createKubernetesSource } from "../sources/kubernetes.ts";
import { refKey } from "../store/ref-key.ts";
import { PodAuthenticator } from "../xds/server/authenticate-pod.ts";
import { adminHandler } from "./admin/admin-handler.ts";
import { startTracing } from "./changes/start-tracing.ts";
import { startServing } from "./cluster/certificates/serving.ts";
import { startTrustBundles } from "./cluster/certificates/trust-bundle.ts";
import { findKube } from "./cluster/kube.ts";
import {
	type KubeProblem,
	kubeProblem,
	problemOf,
} from "./cluster/kube-problem.ts";
import { lateObjects } from "./cluster/late-objects.ts";
import { patientStore } from "./cluster/patient-store.ts";
import { podDirectory } from "./cluster/pod-directory.ts";
import { readerAudience, readersHandler } from "./cluster/readers-handler.ts";
import { joinReplicas } from "./cluster/replicas/join-replicas.ts";
import { replicaDistribution } from "./cluster/replicas/replica-distribution.ts";
import { replicaNameOf } from "./cluster/replicas/replica-name.ts";
import { settledLeader } from "./cluster/replicas/settled-leader.ts";
import { watchReplicas } from "./cluster/replicas/watch-replicas.ts";
import { serveAdmin } from "./cluster/serve-admin.ts";
import { KnownInjection } from "./cluster/webhooks/known-injection.ts";
import { PreviewedMesh } from "./cluster/webhooks/previewed-mesh.ts";
import { watchAbilities } from "./cluster/webhooks/watch-abilities.ts";
import { runInBackground } from "./lifecycle/background.ts";
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
import { sayWaiting } from "./lifecycle/say-waiting.ts";
import type { ServeSettings } from "./lifecycle/serve-settings.ts";
import { takeStateDir } from "./lifecycle/state-dir.ts";
import type { Stops } from "./lifecycle/stops.ts";
import { whenTrue } from "./lifecycle/when-true.ts";
import { createPipeline } from "./mesh-pipeline.ts";
import { createMetrics } from "./metrics/create-metrics.ts";
import { logProblems } from "./problem-log.ts";
import { distributionReader } from "./proxies/distribution-reader.ts";
import { serveProxies } from "./proxies/serve-proxies.ts";
import { serveWebhook } from "./serve-webhook.ts";
import { createStatuses } from "./statuses.ts";

const sourceName = "kubernetes";

/** The Lease of the replica that writes. */
const leaderLease = "lateen-leader";

/** For whom the tokens of proxies must be meant. */
const audience = "lateen.dev";

/** How long proxies get to come back after a start before statuses are written that count them. Milliseconds. */
const settleMs = 3000;

/** What a replica waits for besides what every server does. */
const clusterConditions = {
	...conditions,
	remembered: "what was in force before is read",
	certified: "the leader has made a serving certificate",
} as const;

/**
 * Starts a replica on an API server and answers when it is ready.
 *
 * Guarantees: when the start fails or is aborted, nothing is left running.
 * Fails when: a setting cannot be used, there is no way to the API server, an
 *   address is taken, or another server has the state directory; then with a
 *   `CodedError`. An API server that does not answer is waited for.
 */
export function startCluster(
	settings: ServeSettings,
	tools: ServerTools,
): Promise<RunningServer> {
	return startStoppable((stops) => start(settings, tools, stops));
}

async function start(
	settings: ServeSettings,
	{ logger, logs, environment, signal, onFailure }: ServerTools,
	stops: Stops,
): Promise<Omit<RunningServer, typeof Symbol.asyncDispose>> {
	const clock = systemClock;
	const { namespace } = settings;
	const stateDir = stops.own(await takeStateDir(settings.stateDir));
	const adminListen = parseAdminListen(settings.adminListen, stateDir.path);
	const metrics = createMetrics(logs, stops);
	const health = new Health(Object.values(clusterConditions));
	stops.add(sayWaiting(health, { clock, logger }));
	const kube = await findKube(settings, environment, metrics, stops);
	const { connection, client, watchMetrics } = kube;
	const replica = replicaNameOf(
		settings.podName,
		hostname(),
		randomBytes(3).toString("hex"),
	);
	const instance = `${replica}_${randomUUID()}`;
	logger.info("This is a replica of a control plane in a Kubernetes cluster.", {
		replica,
		namespace,
		server: connection.server,
	});

	// Whoever leads until the end stops writing before it gives the lead back, so this is stopped late.
	const leader = new Leadership({
		client,
		at: { namespace, name: leaderLease },
		identity: instance,
		clock,
		random: Math.random,
		logger: logger.child({ part: "leader" }),
		metrics,
	});
	stops.add(
		leader.problem.subscribe((problem) =>
			health.explain(clusterConditions.certified, problem?.message),
		),
	);
	void runInBackground(
		"The election",
		(running) => leader.run(running),
		onFailure,
		stops,
	);
	const isSettled = new WritableSignal(false);
	const statusLeader = stops.own(settledLeader(leader, isSettled));
	const pacer = new WritePacer(clock);

	const replicas = stops.own(
		new Replicas({
			self: replica,
			clock,
			logger: logger.child({ part: "replicas" }),
			metrics,
		}),
	);
	const others = watchReplicas({
		connection,
		namespace,
		replicas,
		clock,
		logger: logger.child({ part: "replicas" }),
		metrics: watchMetrics,
	});
	void runInBackground(
		"The watch of replicas",
		(running) => others.run(running),
		onFailure,
		stops,
	);

	const source = createKubernetesSource({
		name: sourceName,
		connection,
		clock,
		logger: logger.child({ part: "source" }),
		metrics: watchMetrics,
	});
	let unread: unknown;
	const problems = (): readonly KubeProblem[] => [
		...source.problems.value,
		...others.problems(),
		...kubeProblem(resources.Lease, leader.problem.value),
		...kubeProblem(resources.LastGood, problemOf(unread)),
	];
	const admin = await serveAdmin(
		{
			...{ health, metrics, logs, problems, logger },
			listen: adminListen,
			healthListen:
				settings.healthListen === undefined
					? undefined
					: parseAddress(settings.healthListen),
			stopMs: settings.stopTimeout,
		},
		stops,
	);

	const preview = new PreviewedMesh();
	const abilities = watchAbilities({ connection, clock, logger }, stops);
	const injection = new KnownInjection(
		namespace,
		settings.proxyImage,
		() => abilities.value,
	);
	const known = lateObjects();
	const lastGood = stops.own(
		new LastGoodObjects({
			...{ client, leader, pacer, clock },
			ownNamespace: namespace,
			objects: known,
			logger: logger.child({ part: "quarantine" }),
		}),
	);
	const spans = startTracing(
		{
			...{ settings, environment, clock, logger, metrics },
			instance,
			...(settings.podName !== undefined && {
				resource: { "k8s.pod.name": replica, "k8s.namespace.name": namespace },
			}),
		},
		stops,
	);
	const pipeline = await createPipeline(
		{
			sourceName,
			lastGood: patientStore(lastGood, {
				...{ clock, logger, signal },
				onTrouble: (error) => {
					unread = error;
					health.explain(
						clusterConditions.remembered,
						problemOf(error)?.message,
					);
				},
			}),
			others: {
				on: (ref) =>
					replicas.on(refKey(ref)).flatMap(({ entry }) => entry ?? []),
				subscribe: (listener) => replicas.subscribe(listener),
			},
			onBuild: (objects, build) => {
				preview.keep(objects, build);
				injection.keep(objects);
			},
			holdOff: { quietMs: settings.holdOffQuiet, maxMs: settings.holdOffMax },
			clock,
			logger,
			metrics,
			...(spans !== undefined && { spans }),
		},
		stops,
	);
	health.reached(clusterConditions.remembered);
	const { store, mesh, catalog } = pipeline;
	stops.add(known.bind(store));
	const own = distributionReader(catalog.distribution);
	const shared = { client, pacer, clock, metrics };
	const writer = stops.own(
		new KubeStatusWriter({
			...shared,
			leader: statusLeader,
			logger: logger.child({ part: "status" }),
		}),
	);
	void runInBackground(
		"The watch of statuses",
		(running) =>
			watchStatuses(
				{
					...{ connection, clock },
					leader: statusLeader,
					kinds: ownKinds.map((kind) => resources[kind]),
					observe: (ref, seen) => writer.observe(ref, seen),
					logger: logger.child({ part: "status" }),
				},
				running,
			),
		onFailure,
		stops,
	);
	const events = stops.own(
		new KubeEventWriter({
			...shared,
			leader,
			instance,
			uidOf: known.uidOf,
			logger: logger.child({ part: "events" }),
		}),
	);
	stops.own(
		tellOfSkippedPods({ objects: store.objects, events, leader, clock }),
	);
	const statuses = createStatuses(
		{
			pipeline,
			distribution: replicaDistribution({ own, mesh: mesh.state, replicas }),
			isComplete: others.allListed,
			outside: { statuses: writer, events },
			clock,
			logger,
			metrics,
		},
		stops,
	);
	const placeOf = (): undefined => undefined;
	stops.add(
		logProblems({ invalid: store.invalid, mesh: mesh.state, placeOf }, logger),
	);
	admin.show(
		adminHandler({
			...{ pipeline, statuses, health, metrics, logs, placeOf },
			fileProblems: () => [],
			sourceProblems: problems,
		}),
	);

	const figures = controllerFigures(metrics);
	const tls = startServing(
		{
			...{ connection, client, leader, namespace, clock, logger, metrics },
			...{ watchMetrics, figures, onFailure },
			webhookUrl: settings.webhookUrl,
		},
		stops,
	);
	startTrustBundles(
		{
			...{ connection, client, leader, namespace, clock, logger },
			...{ watchMetrics, figures, onFailure, objects: store.objects },
			isListed: store.allListed,
		},
		stops,
	);
	const readerTokens = stops.own(
		new TokenReviewer({
			...{ connection, clock, metrics },
			audience: readerAudience,
			of: "readers",
			log: logger.child({ part: "readers" }),
		}),
	);
	const webhook = stops.own(
		await serveWebhook({
			listen: parseAddress(settings.webhookListen),
			material: tls,
			preview,
			contexts: injection.contexts,
			readers: readersHandler(admin.handler, readerTokens, namespace),
			clock,
			logger,
			metrics,
		}),
	);

	await runSource(source, pipeline, { health, signal, onFailure }, stops);
	await joinReplicas(
		{
			...{ kube, namespace, replica, replicas, pipeline, own, leader },
			...{ clock, logger, metrics, onFailure },
		},
		signal,
		stops,
	);
	await whenTrue(tls, (material) => material !== undefined, signal);
	health.reached(clusterConditions.certified);

	const tokens = stops.own(
		new TokenReviewer({
			connection,
			audience,
			clock,
			log: logger.child({ part: "tokens" }),
			metrics,
		}),
	);
	const pods = new PodAuthenticator({
		tokens,
		pods: podDirectory(store.objects),
		clock,
		random: Math.random,
	});
	const grpc = stops.own(
		await serveProxies({
			listen: parseAddress(settings.xdsListen),
			pipeline,
			tls,
			authenticate: (peer, claims) => pods.authenticate(peer, claims),
			settings,
			clock,
			logger,
			metrics,
		}),
	);
	stops.add(clock.after(settleMs, () => isSettled.set(true)));
	await stateDir.announce({
		pid: process.pid,
		xds: printAddress(grpc.address),
		admin: printAdmin(admin.server.address),
	});
	health.reached(clusterConditions.listening);
	return {
		xds: grpc.address,
		admin: admin.server.address,
		stateDir: stateDir.path,
		places: {
			replica,
			webhook: printAddress(webhook.address),
			...(admin.healthServer !== undefined && {
				health: printAddress(admin.healthServer.address),
			}),
		},
	};
}
