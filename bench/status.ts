import { setTimeout as sleep } from "node:timers/promises";
import { changeRule, workloadOf } from "./mesh-files.ts";
import {
	type RunningMesh,
	type RunOptions,
	withRunningMesh,
} from "./running-mesh.ts";
import { type StatusLine, StatusWatch } from "./status-watch.ts";

/** What is measured, and how thoroughly. */
export interface StatusOptions extends RunOptions {
	readonly streams: number;
	readonly rounds: number;
	/** Time after which memory is read. */
	readonly idleMs: number;
}

/** What knowing that a change is live costs. */
export interface StatusCost {
	/** From the rename of the file until the watch has said that it is live; one for each round. */
	readonly programmedMs: readonly number[];
	/** Lines of the watch, per change. */
	readonly writesPerChange: number;
	/** Lines of the watch for each that says something else than counts and words. */
	readonly writesPerTransition: number;
	/** Decisions about one object, per change. */
	readonly decisionsPerChange: number;
	/** Memory of the server without streams, with all, and with twice as many. */
	readonly rssMb: readonly [none: number, all: number, twice: number];
	/** The same without garbage. */
	readonly liveMb: readonly [none: number, all: number, twice: number];
}

/** The object of a rule, as the watch names it. */
export function ruleObject(index: number): string {
	const [namespace = "", workload = ""] = workloadOf(index).split("/");
	return `RouteRule/${namespace}/${workload.replace(/-v1$/, "")}`;
}

/** Changes one rule and answers after how long the watch says that it is live. */
export async function untilProgrammed(
	{ manifests }: RunningMesh,
	watch: StatusWatch,
	index: number,
	marker: string,
): Promise<number> {
	const object = ruleObject(index);
	const before = watch.latest(object)?.generation ?? 1;
	const changedMs = await changeRule(manifests, index, marker);
	const line = await watch.until(
		object,
		(one) => one.isProgrammed && one.observedGeneration === before + 1,
	);
	return line.atMs - changedMs;
}

const warmUpRounds = 10;
const pauseMs = 120;

/** Runs a server and its proxies, makes changes on disk, and watches their status. Leaves nothing behind. */
export function measureStatus(options: StatusOptions): Promise<StatusCost> {
	const { streams, rounds, rules, idleMs, signal } = options;
	return withRunningMesh(options, async (mesh) => {
		const { server } = mesh;
		const rested = async (): Promise<number> => {
			await sleep(idleMs, undefined, { signal });
			return server.rssMb();
		};
		const none = await rested();
		const liveNone = await server.liveMb();
		await mesh.open(0, streams);
		const all = await rested();
		const liveAll = await server.liveMb();

		await using watch = await StatusWatch.open(server.admin, signal);
		const change = async (round: number): Promise<number> => {
			const marker = `status-${round}-end`;
			const tookMs = await untilProgrammed(mesh, watch, round % rules, marker);
			await sleep(pauseMs, undefined, { signal });
			return tookMs;
		};
		for (let round = 0; round < warmUpRounds; round++) await change(round);
		const before = new Map(
			Array.from({ length: rules }, (_, i) => [
				ruleObject(i),
				watch.latest(ruleObject(i)),
			]),
		);
		watch.taken();
		const decisionsTotal = "lateen_status_decisions_total";
		const decisionsBefore = await server.metric(decisionsTotal);
		const programmedMs: number[] = [];
		for (let round = 0; round < rounds; round++)
			programmedMs.push(await change(warmUpRounds + round));
		const decisions = (await server.metric(decisionsTotal)) - decisionsBefore;
		const lines = watch.taken();

		await mesh.open(streams, streams);
		return {
			programmedMs,
			writesPerChange: lines.length / rounds,
			writesPerTransition: lines.length / transitions(lines, before),
			decisionsPerChange: decisions / rounds,
			rssMb: [none, all, await rested()],
			liveMb: [liveNone, liveAll, await server.liveMb()],
		};
	});
}

function transitions(
	lines: readonly StatusLine[],
	before: ReadonlyMap<string, StatusLine | undefined>,
): number {
	const last = new Map(before);
	let count = 0;
	for (const line of lines) {
		if (last.get(line.object)?.conditions !== line.conditions) count++;
		last.set(line.object, line);
	}
	return count;
}
