import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readOrCreateTokenKey } from "../src/app/embedded/token-key.ts";
import { mintToken } from "../src/xds/proxy-token.ts";
import { LoadProcess } from "./load-process.ts";
import {
	changeEndpoint,
	changeRule,
	systemMs,
	workloadOf,
	writeMesh,
} from "./mesh-files.ts";
import { type ServerProcess, startServer } from "./server-process.ts";

/** What is measured, and how thoroughly. */
export interface ControlPlaneOptions {
	readonly program: string;
	readonly services: number;
	readonly rules: number;
	readonly streams: number;
	/** Changes of each kind. */
	readonly rounds: number;
	readonly idleMs: number;
	readonly profileDir: string | undefined;
	readonly signal: AbortSignal;
}

/** What one kind of change costs, per change. */
export interface ChangeCost {
	/** From the rename of the file until the last stream has received it; one for each round. */
	readonly latenciesMs: readonly number[];
	readonly cpuMs: number;
	readonly bytesPerStream: number;
	/** Resources that the server built and encoded. */
	readonly generated: number;
}

/** What a server needed. */
export interface ControlPlaneCost {
	/** From the start of the process until it is ready, every file read. */
	readonly startWallMs: number;
	readonly startCpuMs: number;
	/** From the opening of the first stream until the last has everything. */
	readonly syncWallMs: number;
	readonly syncCpuMs: number;
	readonly syncBytesPerStream: number;
	readonly rule: ChangeCost;
	readonly endpoint: ChangeCost;
	/** Right after the last change. */
	readonly rssMb: number;
	/** After the idle time. */
	readonly idleRssMb: number;
	/** Of one core. */
	readonly idlePercent: number;
}

/** Changes before the measured ones: a control plane runs for weeks, so its first seconds say little. */
const warmUpRounds = 10;
const pauseMs = 120;

/** Runs a server and its proxies, makes changes on disk, and says what they cost. Leaves nothing behind. */
export async function measureControlPlane(
	options: ControlPlaneOptions,
): Promise<ControlPlaneCost> {
	const root = await mkdtemp(join(tmpdir(), "lateen-bench-"));
	try {
		return await measureIn(root, options);
	} finally {
		await rm(root, { recursive: true, force: true });
	}
}

async function measureIn(
	root: string,
	options: ControlPlaneOptions,
): Promise<ControlPlaneCost> {
	const { services, rules, streams, rounds, signal } = options;
	const manifests = join(root, "mesh");
	const stateDir = join(root, "state");
	await writeMesh(manifests, options);
	await mkdir(stateDir, { mode: 0o700 });
	const key = await readOrCreateTokenKey(stateDir);

	const startMs = systemMs();
	await using server = await startServer({
		...options,
		source: [`--source=directory:${manifests}`],
		stateDir,
	});
	const startWallMs = systemMs() - startMs;
	const startCpuMs = await server.cpuMs();
	await using load = await LoadProcess.start(signal);
	await sleep(500, undefined, { signal });

	const cpuBeforeSync = await server.cpuMs();
	const { openedMs, syncedMs } = await load.open({
		host: server.host,
		port: server.port,
		streams: Array.from({ length: streams }, (_, i) => ({
			workload: workloadOf(i),
			token: mintToken(
				{
					workload: workloadOf(i),
					kind: "sidecar",
					expiresMs: Date.now() + 3_600_000,
				},
				key,
			),
		})),
		expected: { virtualHosts: services, clusters: services + 2 * rules },
	});
	const syncCpuMs = (await server.cpuMs()) - cpuBeforeSync;
	const synced = await load.totals();
	await sleep(1_000, undefined, { signal });

	const run = { server, load, streams, signal };
	const rule = await measureChanges(run, rounds, (round) => {
		const marker = `round-${round}-end`;
		return {
			marker,
			apply: () => changeRule(manifests, round % rules, marker),
		};
	});
	const endpoint = await measureChanges(run, rounds, (round) => {
		const marker = `10.99.${100 + (round >> 7)}.${100 + (round & 127)}`;
		return {
			marker,
			apply: () => changeEndpoint(manifests, (round * 7) % services, marker),
		};
	});
	const rssMb = await server.rssMb();

	await sleep(1_000, undefined, { signal });
	const cpuBeforeIdle = await server.cpuMs();
	await sleep(options.idleMs, undefined, { signal });
	const idleCpuMs = (await server.cpuMs()) - cpuBeforeIdle;
	return {
		startWallMs,
		startCpuMs,
		syncWallMs: syncedMs - openedMs,
		syncCpuMs,
		syncBytesPerStream: synced.bytes / streams,
		rule,
		endpoint,
		rssMb,
		idleRssMb: await server.rssMb(),
		idlePercent: (100 * idleCpuMs) / options.idleMs,
	};
}

interface Run {
	readonly server: ServerProcess;
	readonly load: LoadProcess;
	readonly streams: number;
	readonly signal: AbortSignal;
}

interface PlannedChange {
	/** Text that the change brings to every stream, and that nothing else holds. */
	readonly marker: string;
	/** Makes the change; answers when it was about to be in place. */
	apply(): Promise<number>;
}

async function measureChanges(
	{ server, load, streams, signal }: Run,
	rounds: number,
	plan: (round: number) => PlannedChange,
): Promise<ChangeCost> {
	const latency = async (round: number): Promise<number> => {
		const { marker, apply } = plan(round);
		await load.watch(marker);
		const changedMs = await apply();
		const atMs = await load.received();
		await sleep(pauseMs, undefined, { signal });
		return Math.max(...atMs) - changedMs;
	};
	for (let round = 0; round < warmUpRounds; round++) await latency(round);

	const generatedTotal = "lateen_xds_generated_total";
	const generatedBefore = await server.metric(generatedTotal);
	const before = await load.totals();
	const cpuBefore = await server.cpuMs();
	const latenciesMs: number[] = [];
	for (let round = 0; round < rounds; round++)
		latenciesMs.push(await latency(warmUpRounds + round));
	const cpuMs = (await server.cpuMs()) - cpuBefore;
	const after = await load.totals();
	const generated = (await server.metric(generatedTotal)) - generatedBefore;
	return {
		latenciesMs,
		cpuMs: cpuMs / rounds,
		bytesPerStream: (after.bytes - before.bytes) / rounds / streams,
		generated: generated / rounds,
	};
}
