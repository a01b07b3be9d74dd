import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient, KubeCluster } from "../test/testkit/kube-cluster.ts";
import {
	auditPosition,
	lateenRequests,
	type RequestCounts,
	sumOf,
} from "./audit-requests.ts";
import {
	type ChangeRun,
	changeEndpoints,
	changeRules,
	type KubeChangeCost,
} from "./kube-changes.ts";
import { expectOk, plansOf } from "./kube-mesh.ts";
import { LoadProcess } from "./load-process.ts";
import { type MeshSize, systemMs } from "./mesh-files.ts";
import { ProgrammedWatch } from "./programmed-watch.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

/** Where everything of Lateen's own is. */
export const ownNamespace = "lateen-system";

/** What is measured, and on what. */
export interface KubeRun extends MeshSize {
	readonly cluster: KubeCluster;
	readonly client: ApiClient;
	readonly streams: number;
	/** Changes of each kind. */
	readonly rounds: number;
	readonly idleMs: number;
	/** The built program. */
	readonly program: string;
	/** A folder for what servers keep. */
	readonly dir: string;
	readonly profileDir: string | undefined;
	readonly signal: AbortSignal;
}

/** What a control plane of some replicas needs; lists have one value for each. */
export interface ReplicasCost {
	/** From the start of the processes until the last is ready. */
	readonly startWallMs: number;
	readonly startCpuMs: readonly number[];
	readonly startRssMb: readonly number[];
	/** From the start of the processes until every stream has everything. */
	readonly allSyncedMs: number;
	readonly syncWallMs: number;
	readonly syncCpuMs: readonly number[];
	readonly syncBytesPerStream: number;
	/** From then on until every rule is said to be on every proxy. */
	readonly allCountedMs: number;
	readonly rule: KubeChangeCost;
	readonly endpoint: KubeChangeCost;
	/** Right after the changes. */
	readonly rssMb: readonly number[];
	/** After the idle time. */
	readonly idleRssMb: readonly number[];
	/** Without garbage. */
	readonly liveMb: readonly number[];
	/** Of one core. */
	readonly idlePercent: readonly number[];
	/** Requests of all replicas in the idle time. */
	readonly idleRequests: RequestCounts;
}

let started = 0;

/** Starts a replica and answers when it is ready. */
export async function startReplica({
	cluster,
	program,
	dir,
	profileDir,
	signal,
}: Pick<
	KubeRun,
	"cluster" | "program" | "dir" | "profileDir" | "signal"
>): Promise<ServerProcess> {
	started += 1;
	const stateDir = join(dir, `state-${started}`);
	await mkdir(stateDir, { mode: 0o700 });
	return await startServer({
		program,
		source: [
			...["--source=kubernetes", `--kubeconfig=${cluster.kubeconfig}`],
			...[`--namespace=${ownNamespace}`, "--webhook-listen=127.0.0.1:0"],
		],
		...{ stateDir, profileDir, signal },
	});
}

/** Runs so many replicas, each with its share of the streams. Leaves nothing behind but objects. */
export async function measureReplicas(
	run: KubeRun,
	replicas: number,
): Promise<ReplicasCost> {
	const { cluster, client, streams, services, rules, signal } = run;
	const plans = await plansOf(client, streams);
	const ca = await readCa(client);
	await using load = await LoadProcess.start(signal);

	const startMs = systemMs();
	await using stack = new AsyncDisposableStack();
	// All have started or failed before anything is given up.
	const starts = await Promise.allSettled(
		Array.from({ length: replicas }, async () =>
			stack.use(await startReplica(run)),
		),
	);
	const servers = starts.map((start) => {
		if (start.status === "rejected") throw start.reason;
		return start.value;
	});
	// Streams end before their servers do, so that the load does not complain.
	stack.defer(() => load[Symbol.asyncDispose]());
	const startWallMs = systemMs() - startMs;
	const each = <T>(ask: (server: ServerProcess) => Promise<T>) =>
		Promise.all(servers.map(ask));
	const startCpuMs = await each((server) => server.cpuMs());
	const startRssMb = await each((server) => server.rssMb());

	let openedMs = Number.POSITIVE_INFINITY;
	let syncedMs = 0;
	for (const [index, { host, port }] of servers.entries()) {
		const share = plans.filter((_, plan) => plan % replicas === index);
		const report = await load.open({
			...{ host, port, ca, streams: share },
			expected: { virtualHosts: services, clusters: services + 2 * rules },
		});
		openedMs = Math.min(openedMs, report.openedMs);
		syncedMs = report.syncedMs;
	}
	const afterSync = await each((server) => server.cpuMs());
	const synced = await load.totals();

	await using programmed = await ProgrammedWatch.start(client, signal);
	await programmed.all(rules, streams);
	const allCountedMs = systemMs() - syncedMs;
	// The last good forms of all rules are written after the first sync.
	await untilQuiet(cluster, signal);

	const changes: ChangeRun = {
		...run,
		...{ servers, load, programmed, run: replicas },
	};
	const rule = await changeRules(changes);
	const endpoint = await changeEndpoints(changes);
	const rssMb = await each((server) => server.rssMb());

	await untilAlone(run, replicas);
	await untilQuiet(cluster, signal);
	const position = await auditPosition(cluster.auditLog);
	const beforeIdle = await each((server) => server.cpuMs());
	await sleep(run.idleMs, undefined, { signal });
	const afterIdle = await each((server) => server.cpuMs());
	const idleRequests = await lateenRequests(cluster.auditLog, position);
	return {
		...{ startWallMs, startCpuMs, startRssMb },
		allSyncedMs: syncedMs - startMs,
		syncWallMs: syncedMs - openedMs,
		syncCpuMs: difference(afterSync, startCpuMs),
		syncBytesPerStream: synced.bytes / streams,
		...{ allCountedMs, rule, endpoint, rssMb },
		idleRssMb: await each((server) => server.rssMb()),
		liveMb: await each((server) => server.liveMb()),
		idlePercent: difference(afterIdle, beforeIdle).map(
			(cpuMs) => (100 * cpuMs) / run.idleMs,
		),
		idleRequests,
	};
}

/** Waits, but not for ever, until nothing is left of replicas that were stopped before: it is taken away half a minute later. */
async function untilAlone(
	{ client, signal }: KubeRun,
	replicas: number,
): Promise<void> {
	const path = `/apis/lateen.dev/v1alpha1/namespaces/${ownNamespace}/proxyreports`;
	for (let attempt = 0; attempt < 60; attempt++) {
		const { body } = await expectOk(client, "GET", path);
		const { items } = body as {
			readonly items: readonly {
				readonly spec: { readonly replica: string };
			}[];
		};
		const left = new Set(items.map(({ spec }) => spec.replica));
		if (left.size <= replicas) return;
		await sleep(2_000, undefined, { signal });
	}
}

/** Waits, but not for ever, until only Leases are written: after a start, last good forms are written, and what dead replicas have left is taken away. */
async function untilQuiet(
	{ auditLog }: KubeCluster,
	signal: AbortSignal,
): Promise<void> {
	for (let attempt = 0; attempt < 40; attempt++) {
		const position = await auditPosition(auditLog);
		await sleep(5_000, undefined, { signal });
		const requests = await lateenRequests(auditLog, position);
		const others = sumOf(requests, (one) => !one.endsWith(" leases"));
		if (others === 0) return;
	}
}

function difference(
	after: readonly number[],
	before: readonly number[],
): readonly number[] {
	return after.map((value, index) => value - (before[index] ?? 0));
}

/** What signed the certificate of the servers. */
async function readCa(client: ApiClient): Promise<string> {
	const { body } = await expectOk(
		client,
		"GET",
		`/api/v1/namespaces/${ownNamespace}/configmaps/lateen-ca`,
	);
	const { data } = body as { readonly data: Readonly<Record<string, string>> };
	return data["ca.crt"] ?? "";
}
