/**
 * `npm run bench:apiserver`: what the control plane needs that serves what a
 * real Kubernetes API server has, with one and with two replicas, as a table
 * with aims.
 *
 *   --quick        smaller and shorter; its figures compare with nothing
 *   --json FILE    the figures as a list of {name, value, unit, aim, meets}
 *   --write        the tables into bench/results/
 *   --program F    the program to measure; otherwise dist/lateen.js, built anew
 *   --profile DIR  a CPU profile of each server
 *   --replicas N   only with so many replicas, 1 or 2
 *
 * A latency counts from the answer to a PATCH: until the last stream has
 * received bytes that only this change brings, and until a watch of RouteRules
 * has read that the change is live.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ControlPlane } from "../hack/cluster/control-plane.ts";
import { installCrds } from "../hack/cluster/install-crds.ts";
import { ensureKubernetes } from "../hack/ensure-kubernetes.ts";
import { ApiClient } from "../test/testkit/kube-cluster.ts";
import { type RequestCounts, sumOf } from "./audit-requests.ts";
import { buildProgram } from "./build-program.ts";
import { type Figure, figure, printFigures, quantile } from "./figure.ts";
import { createMesh, createPods } from "./kube-mesh.ts";
import {
	type KubeRun,
	measureReplicas,
	type ReplicasCost,
	startReplica,
} from "./kube-replicas.ts";
import { besidePeer } from "./peer.ts";
import { runBench } from "./run-bench.ts";
import { say } from "./say.ts";
import { machine } from "./server-process.ts";

const root = join(import.meta.dirname, "..");

const sizes = {
	normal: {
		...{ services: 1_000, rules: 1_000, streams: 200, rounds: 100 },
		...{ idleMs: 60_000, pods: 10_000 },
	},
	quick: {
		...{ services: 100, rules: 100, streams: 20, rounds: 10 },
		...{ idleMs: 20_000, pods: 1_000 },
	},
};

type Size = (typeof sizes)["normal"];

/** What a run has found. */
interface Result {
	readonly figures: readonly Figure[];
	/** By number of replicas. */
	readonly costs: ReadonlyMap<number, ReplicasCost>;
}

async function main(signal: AbortSignal): Promise<void> {
	const { values } = parseArgs({
		options: {
			quick: { type: "boolean", default: false },
			json: { type: "string" },
			write: { type: "boolean", default: false },
			program: { type: "string" },
			profile: { type: "string" },
			replicas: { type: "string" },
		},
	});
	const size = values.quick ? sizes.quick : sizes.normal;
	const replicas =
		values.replicas === undefined ? [1, 2] : [Number(values.replicas)];
	const programs = await ensureKubernetes(signal);
	const program = values.program ?? (await buildProgram(signal));
	const loads = [loadavg()[0]];
	const dir = await mkdtemp(join(tmpdir(), "lateen-bench-"));
	let result: Result;
	try {
		await using cluster = await ControlPlane.start(
			join(dir, "cluster"),
			programs,
		);
		await installCrds(cluster);
		using client = await ApiClient.of(cluster);
		result = await measure(
			{
				...size,
				...{ cluster, client, program, dir, signal },
				profileDir: values.profile,
			},
			size,
			replicas,
		);
	} finally {
		await rm(dir, { recursive: true, force: true });
	}
	loads.push(loadavg()[0]);
	const report = printReport(result, size, loads.map(rounded));
	console.log(`\n${report}`);
	if (values.json !== undefined)
		await writeFile(
			values.json,
			`${JSON.stringify(result.figures, null, 2)}\n`,
		);
	if (values.write)
		await writeFile(
			join(root, "bench/results/apiserver.md"),
			`# Figures on a real Kubernetes API server\n\nMade by \`npm run bench:apiserver -- --write\`. ${report}`,
		);
}

async function measure(
	run: KubeRun,
	size: Size,
	replicas: readonly number[],
): Promise<Result> {
	say(`Writing ${describe(size)}`);
	await createMesh(run.client, run);
	const alone = await startAlone(run, async (server) => {
		// The first start makes certificates and writes first statuses, which later ones find.
		const written = "lateen_kube_status_writes_total";
		while ((await server.metric(written)) < run.rules)
			await sleep(100, undefined, { signal: run.signal });
	});
	const before = await startAlone(run);
	const costs = new Map<number, ReplicasCost>();
	for (const count of replicas) {
		say(`Measuring with ${count} replica${count === 1 ? "" : "s"}.`);
		costs.set(count, await measureReplicas(run, count));
	}
	say(`Writing ${size.pods} Pods.`);
	await createPods(run.client, size.pods);
	const after = await startAlone(run);
	const per10k = 10_000 / size.pods;
	return {
		figures: [
			figure("first-start-wall", alone.startWallMs, "ms"),
			...[...costs].flatMap(([count, cost]) =>
				figuresOf(size, cost, count === 1 ? "" : `-${count}-replicas`),
			),
			figure(
				"live-memory-per-10000-pods",
				(after.liveMb - before.liveMb) * per10k,
				"MB",
			),
			figure("rss-per-10000-pods", (after.rssMb - before.rssMb) * per10k, "MB"),
			figure("start-wall-with-those-pods", after.startWallMs, "ms"),
		],
		costs,
	};
}

/** A replica that serves nobody, for a moment. */
async function startAlone(
	run: KubeRun,
	use: (server: {
		metric(name: string): Promise<number>;
	}) => Promise<void> = async () => {},
): Promise<{
	readonly startWallMs: number;
	readonly rssMb: number;
	readonly liveMb: number;
}> {
	const startMs = performance.now();
	await using server = await startReplica({ ...run, profileDir: undefined });
	const startWallMs = performance.now() - startMs;
	const rssMb = await server.rssMb();
	await use(server);
	return { startWallMs, rssMb, liveMb: await server.liveMb() };
}

function figuresOf(
	{ rounds, idleMs }: Size,
	cost: ReplicasCost,
	suffix: string,
): readonly Figure[] {
	const { rule, endpoint } = cost;
	const sum = (values: readonly number[]): number =>
		values.reduce((total, value) => total + value, 0);
	const perMinute = (isWanted: (request: string) => boolean): number =>
		(60_000 * sumOf(cost.idleRequests, isWanted)) / idleMs;
	const isWatch = (request: string): boolean => request.startsWith("watch ");
	const isLease = (request: string): boolean => request.endsWith(" leases");
	const isStatus = (request: string): boolean => request.endsWith("/status");
	const figures = [
		figure("start-wall", cost.startWallMs, "ms", "< 3000"),
		figure("start-cpu", sum(cost.startCpuMs), "ms"),
		figure("start-until-all-streams-synced", cost.allSyncedMs, "ms"),
		figure("first-sync-wall", cost.syncWallMs, "ms"),
		figure("first-sync-cpu", sum(cost.syncCpuMs), "ms"),
		figure("first-sync-bytes", cost.syncBytesPerStream, "B/stream"),
		figure("all-rules-counted-after-sync", cost.allCountedMs, "ms"),
		...change("rule-change-received", rule.receivedMs, "< 100"),
		...change("rule-change-programmed", rule.programmedMs, "< 300"),
		figure("rule-change-cpu", sum(rule.cpuMs), "ms"),
		figure("rule-change-bytes", rule.bytesPerStream, "B/stream", "< 4096"),
		figure(
			"rule-change-status-writes",
			sumOf(rule.requests, isStatus) / rounds,
			"",
		),
		figure(
			"rule-change-other-writes",
			sumOf(
				rule.requests,
				(request) =>
					!isStatus(request) &&
					!isWatch(request) &&
					!isLease(request) &&
					!/^(get|list) /.test(request),
			) / rounds,
			"",
		),
		...change("endpoint-change-received", endpoint.receivedMs, undefined),
		figure("endpoint-change-cpu", sum(endpoint.cpuMs), "ms"),
		figure(
			"endpoint-change-bytes",
			endpoint.bytesPerStream,
			"B/stream",
			"< 2048",
		),
		figure(
			"endpoint-change-status-writes",
			sumOf(endpoint.requests, isStatus) / rounds,
			"",
		),
		figure("rss-when-ready", Math.max(...cost.startRssMb), "MB"),
		figure("rss-after-changes", Math.max(...cost.rssMb), "MB", "< 200"),
		figure("rss-when-idle", Math.max(...cost.idleRssMb), "MB"),
		figure("live-memory", Math.max(...cost.liveMb), "MB"),
		figure("idle-cpu", Math.max(...cost.idlePercent), "% of a core", "< 1"),
		figure("idle-requests-for-leases", perMinute(isLease), "per min"),
		figure("idle-requests-for-watches", perMinute(isWatch), "per min"),
		figure(
			"idle-requests-for-the-rest",
			perMinute((request) => !isWatch(request) && !isLease(request)),
			"per min",
			"≤ 0",
		),
	];
	return figures.map((one) => ({ ...one, name: `${one.name}${suffix}` }));
}

function change(
	name: string,
	latenciesMs: readonly number[],
	aim: "< 100" | "< 300" | undefined,
): readonly Figure[] {
	return [
		figure(`${name}-p50`, quantile(latenciesMs, 0.5), "ms"),
		figure(`${name}-p99`, quantile(latenciesMs, 0.99), "ms", aim),
	];
}

function printReport(
	{ figures, costs }: Result,
	size: Size,
	loads: readonly string[],
): string {
	const one = costs.get(1);
	const minutes = size.idleMs / 60_000;
	const requests = [...costs].map(
		([count, cost]) =>
			`With ${count} replica${count === 1 ? "" : "s"}:\n\n${printRequests(cost.idleRequests, minutes, "per minute")}\n\nFor each change of a rule:\n\n${printRequests(cost.rule.requests, size.rounds, "per change")}`,
	);
	return [
		`${machine()}, and so are etcd and kube-apiserver; others used the machine too (load average ${loads.join(" before, ")} after), so trust CPU, counts and bytes more than times. ${describe(size)} No webhook is configured. Of several replicas, CPU is the sum, memory and idle CPU are those of the largest.`,
		`${printFigures(figures)}`,
		"## What is asked of the API server",
		`From its audit log, without what proxies and the measurement ask. Idle for ${size.idleMs / 1_000} s:`,
		...requests,
		...(one === undefined
			? []
			: [
					"## Beside istiod",
					"istiod's figures are of another run, on a machine of the same size, with 100 streams (an endpoint: 500) and without TLS; so only the order of magnitude says something.",
					besidePeer(one, size.streams),
				]),
		"",
	].join("\n\n");
}

function printRequests(
	counts: RequestCounts,
	divisor: number,
	unit: string,
): string {
	const rows = [...counts]
		.sort(([, a], [, b]) => b - a)
		.map(([what, count]) => `| ${what} | ${rounded(count / divisor)} |`);
	return [`| Request | ${unit} |`, "|---|---|", ...rows].join("\n");
}

function rounded(value: number | undefined): string {
	return (value ?? 0).toLocaleString("en", { maximumSignificantDigits: 3 });
}

function describe({ services, rules, streams, rounds }: Size): string {
	return `${services.toLocaleString("en")} services with 2 endpoints each in 20 namespaces, ${rules.toLocaleString("en")} RouteRules, ${streams} delta streams over TLS with tokens of their pods, ${rounds} changes of each kind.`;
}

await runBench(main);
