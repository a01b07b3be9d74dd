import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient, KubeCluster } from "../test/testkit/kube-cluster.ts";
import {
	auditPosition,
	lateenRequests,
	type RequestCounts,
} from "./audit-requests.ts";
import { endpointsPatch, expectOk, rulePatch } from "./kube-mesh.ts";
import type { LoadProcess } from "./load-process.ts";
import { systemMs } from "./mesh-files.ts";
import type { ProgrammedWatch } from "./programmed-watch.ts";
import type { ServerProcess } from "./server-process.ts";

/** What is changed, and who is watched meanwhile. */
export interface ChangeRun {
	readonly cluster: KubeCluster;
	readonly client: ApiClient;
	readonly servers: readonly ServerProcess[];
	readonly load: LoadProcess;
	readonly programmed: ProgrammedWatch;
	readonly services: number;
	readonly rules: number;
	readonly streams: number;
	readonly rounds: number;
	/** Distinguishes the markers of this run from others'. */
	readonly run: number;
	readonly signal: AbortSignal;
}

/** What one kind of change costs. */
export interface KubeChangeCost {
	/** From the answer to the PATCH until the last stream has received it; one for each change. */
	readonly receivedMs: readonly number[];
	/** From the answer to the PATCH until a watch has read that it is live; none for endpoints. */
	readonly programmedMs: readonly number[];
	/** CPU of each server per change. */
	readonly cpuMs: readonly number[];
	readonly bytesPerStream: number;
	/** What all servers asked of the API server, over all changes. */
	readonly requests: RequestCounts;
}

interface Change {
	/** Text that the change brings to every stream, and that nothing else holds. */
	readonly marker: string;
	readonly path: string;
	readonly patch: object;
	/** Rule of which `Programmed` is waited for. */
	readonly rule: string | undefined;
}

const warmUpRounds = 10;
const pauseMs = 120;
/** Within this time the API server has written down what it was asked. */
const auditMs = 500;

/** Changes one RouteRule after the other. */
export function changeRules(run: ChangeRun): Promise<KubeChangeCost> {
	return measureChanges(run, (round) => {
		const marker = `run-${run.run}-round-${round}-end`;
		return { marker, ...rulePatch(round % run.rules, marker) };
	});
}

/** Moves one endpoint after the other to another address. */
export function changeEndpoints(run: ChangeRun): Promise<KubeChangeCost> {
	return measureChanges(run, (round) => {
		const marker = `10.${100 + run.run}.${100 + (round >> 7)}.${100 + (round & 127)}`;
		return {
			marker,
			...endpointsPatch((round * 7) % run.services, marker),
			rule: undefined,
		};
	});
}

async function measureChanges(
	run: ChangeRun,
	plan: (round: number) => Change,
): Promise<KubeChangeCost> {
	const { cluster, client, servers, load, programmed, rounds, signal } = run;
	const receivedMs: number[] = [];
	const programmedMs: number[] = [];
	const change = async (round: number): Promise<void> => {
		const { marker, path, patch, rule } = plan(round);
		await load.watch(marker);
		const { body } = await expectOk(client, "PATCH", path, patch, {
			"content-type": "application/merge-patch+json",
		});
		const answeredMs = systemMs();
		const { metadata } = body as { metadata: { generation: number } };
		const [all, liveMs] = await Promise.all([
			load.received(),
			rule === undefined ? undefined : programmed.of(rule, metadata.generation),
		]);
		// A watch may be told before the answer has arrived.
		receivedMs.push(Math.max(0, Math.max(...all) - answeredMs));
		if (liveMs !== undefined)
			programmedMs.push(Math.max(0, liveMs - answeredMs));
		await sleep(pauseMs, undefined, { signal });
	};
	for (let round = 0; round < warmUpRounds; round++) await change(round);
	receivedMs.length = 0;
	programmedMs.length = 0;

	const { bytes } = await load.totals();
	const cpuOf = (): Promise<readonly number[]> =>
		Promise.all(servers.map((server) => server.cpuMs()));
	const cpuBefore = await cpuOf();
	await sleep(auditMs, undefined, { signal });
	const position = await auditPosition(cluster.auditLog);
	for (let round = 0; round < rounds; round++)
		await change(warmUpRounds + round);
	const cpu = await cpuOf();
	await sleep(auditMs, undefined, { signal });
	return {
		receivedMs,
		programmedMs,
		cpuMs: cpu.map((ms, index) => (ms - (cpuBefore[index] ?? 0)) / rounds),
		bytesPerStream:
			((await load.totals()).bytes - bytes) / rounds / run.streams,
		requests: await lateenRequests(cluster.auditLog, position),
	};
}
