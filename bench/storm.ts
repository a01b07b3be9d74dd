import { setTimeout as sleep } from "node:timers/promises";
import type { Totals } from "./load-messages.ts";
import { type RunOptions, withRunningMesh } from "./running-mesh.ts";
import { ruleObject, untilProgrammed } from "./status.ts";
import { StatusWatch } from "./status-watch.ts";

/** What is measured, and how thoroughly. */
export interface StormOptions extends RunOptions {
	readonly streams: number;
	readonly rounds: number;
}

/** What many proxies at once cost. */
export interface StormCost {
	readonly syncWallMs: number;
	readonly syncCpuMs: number;
	/** From the rename of the file of one rule until the watch has said that it is live. */
	readonly programmedMs: readonly number[];
	/** Looking at the status of every object because one proxy left. */
	readonly sweepMs: number;
	/** Every rule changed at once: until the watch has said of each that it is live, and time spent on decisions. */
	readonly allProgrammedMs: number;
	readonly allDecisionMs: number;
	readonly allWritesPerRule: number;
	/** From the cut of all connections until the last stream is where it was. */
	readonly stormWallMs: number;
	/** Until the status of an object counts all proxies again. */
	readonly stormStatusMs: number;
	readonly stormCpuMs: number;
	readonly stormBytes: number;
	readonly stormResent: number;
	/** Resources of any kind that a proxy had. */
	readonly resourcesPerStream: number;
	readonly rssMb: number;
}

const pauseMs = 150;
/** Statuses are looked at again at most this long after proxies came or went. */
const sweepMs = 1_500;

/** Runs a server with very many proxies, and cuts them all off. Leaves nothing behind. */
export function measureStorm(options: StormOptions): Promise<StormCost> {
	const { streams, rounds, rules, signal } = options;
	return withRunningMesh(options, async (mesh) => {
		const { server, load } = mesh;
		const cpuBeforeSync = await server.cpuMs();
		const syncWallMs = await mesh.open(0, streams);
		const syncCpuMs = (await server.cpuMs()) - cpuBeforeSync;
		const resourcesPerStream = countOf(await load.totals()) / streams;
		await sleep(2 * sweepMs, undefined, { signal });

		await using watch = await StatusWatch.open(server.admin, signal);
		const programmedMs: number[] = [];
		for (let round = 0; round < rounds; round++) {
			const marker = `storm-${round}-end`;
			programmedMs.push(
				await untilProgrammed(mesh, watch, round % rules, marker),
			);
			await sleep(pauseMs, undefined, { signal });
		}

		const spent = () =>
			server.metric('lateen_controller_work_seconds_sum{controller="status"}');
		const spentBeforeAll = await spent();
		watch.taken();
		const many = Math.min(rules, streams);
		const times = await Promise.all(
			Array.from({ length: many }, (_, index) =>
				untilProgrammed(mesh, watch, index, "storm-all-end"),
			),
		);
		const allDecisionMs = 1_000 * ((await spent()) - spentBeforeAll);
		const allWritesPerRule = watch.taken().length / many;
		await sleep(sweepMs, undefined, { signal });

		const rssMb = await server.rssMb();
		const cpuBefore = await server.cpuMs();
		const spentBefore = await spent();
		const before = await load.totals();
		const { cutMs, atMs } = await load.storm();
		await sleep(2 * sweepMs, undefined, { signal });
		const said = await watch.until(
			ruleObject(0),
			({ total, acknowledged }) => total === streams && acknowledged === total,
		);
		const after = await load.totals();
		const stormCpuMs = (await server.cpuMs()) - cpuBefore;
		const sweepsMs = 1_000 * ((await spent()) - spentBefore);
		return {
			syncWallMs,
			syncCpuMs,
			programmedMs,
			sweepMs: sweepsMs,
			allProgrammedMs: Math.max(...times),
			allDecisionMs,
			allWritesPerRule,
			stormWallMs: Math.max(...atMs) - cutMs,
			stormStatusMs: Math.max(0, said.atMs - cutMs),
			stormCpuMs,
			stormBytes: after.bytes - before.bytes,
			stormResent:
				countOf(after) - countOf(before) - (after.removed - before.removed),
			resourcesPerStream,
			rssMb,
		};
	});
}

/** Resources and removals of all types. */
function countOf({ resources }: Totals): number {
	return Object.values(resources).reduce((sum, count) => sum + count, 0);
}
