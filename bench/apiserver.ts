/**
 * `npm run bench:apiserver`: what one replica needs that serves what a real
 * Kubernetes API server has, as a table with aims.
 *
 *   --quick       smaller and shorter; its figures compare with nothing
 *   --json FILE   the figures as a list of {name, value, unit, aim, meets}
 *   --write       the table into bench/results/
 *
 * A latency counts from the answer to a PATCH of a RouteRule: until the last
 * stream has received bytes that only this change brings, and until a watch of
 * RouteRules has read that the change is live.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { ControlPlane } from "../hack/cluster/control-plane.ts";
import { installCrds } from "../hack/cluster/install-crds.ts";
import { ensureKubernetes } from "../hack/ensure-kubernetes.ts";
import { ApiClient, type KubeCluster } from "../test/testkit/kube-cluster.ts";
import { type Figure, figure, printFigures, quantile } from "./figure.ts";
import {
	createMesh,
	createPods,
	expectOk,
	plansOf,
	ruleCollection,
} from "./kube-mesh.ts";
import { LoadProcess } from "./load-process.ts";
import { systemMs } from "./mesh-files.ts";
import { ProgrammedWatch } from "./programmed-watch.ts";
import { machine, type ServerProcess, startServer } from "./server-process.ts";

const root = join(import.meta.dirname, "..");
const namespace = "lateen-system";
const warmUpRounds = 10;
const pauseMs = 120;
/** How long an idle server is listened to. */
const idleMs = 60_000;

interface Size {
	readonly services: number;
	readonly rules: number;
	readonly streams: number;
	readonly rounds: number;
	readonly pods: number;
}

const sizes = {
	normal: {
		...{ services: 1_000, rules: 1_000, streams: 200 },
		...{ rounds: 100, pods: 10_000 },
	},
	quick: {
		...{ services: 100, rules: 100, streams: 20 },
		...{ rounds: 10, pods: 1_000 },
	},
} satisfies Record<string, Size>;

async function main(signal: AbortSignal): Promise<void> {
	const { values } = parseArgs({
		options: {
			quick: { type: "boolean", default: false },
			json: { type: "string" },
			write: { type: "boolean", default: false },
		},
	});
	const size = values.quick ? sizes.quick : sizes.normal;
	const programs = await ensureKubernetes(signal);
	const program = await buildProgram(signal);
	const dir = await mkdtemp(join(tmpdir(), "lateen-bench-"));
	let figures: readonly Figure[];
	try {
		await using plane = await ControlPlane.start(
			join(dir, "cluster"),
			programs,
		);
		await installCrds(plane);
		figures = await measure(plane, size, program, dir, signal);
	} finally {
		await rm(dir, { recursive: true, force: true });
	}
	const table = printFigures(figures);
	console.log(`\n${table}\n`);
	if (values.json !== undefined)
		await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
	if (values.write)
		await writeFile(
			join(root, "bench/results/apiserver.md"),
			`# Figures on a real Kubernetes API server\n\nMade by \`npm run bench:apiserver -- --write\`. ${machine()}, and so are etcd and kube-apiserver. ${describe(size)}\n\n${table}\n`,
		);
}

async function measure(
	cluster: KubeCluster,
	size: Size,
	program: string,
	dir: string,
	signal: AbortSignal,
): Promise<readonly Figure[]> {
	const { streams, rules, services, rounds } = size;
	using client = await ApiClient.of(cluster);
	say(`Writing ${describe(size)}`);
	await createMesh(client, size);

	// The first start makes certificates and writes first statuses; later ones find them.
	{
		await using first = await start("state-0");
		while ((await first.metric("lateen_kube_status_writes_total")) < rules)
			await sleep(100, undefined, { signal });
	}
	const startMs = systemMs();
	await using server = await start("state-1");
	const startWallMs = systemMs() - startMs;
	const startCpuMs = await server.cpuMs();

	say("Opening streams.");
	await using load = await LoadProcess.start(signal);
	const plans = await plansOf(client, streams);
	const cpuBeforeSync = await server.cpuMs();
	const { openedMs, syncedMs } = await load.open({
		host: server.host,
		port: server.port,
		ca: await readCa(client),
		streams: plans,
		expected: { virtualHosts: services, clusters: services + 2 * rules },
	});
	const syncCpuMs = (await server.cpuMs()) - cpuBeforeSync;

	const stopping = new AbortController();
	const failed = Promise.withResolvers<never>();
	const programmed = await ProgrammedWatch.start(
		client,
		stopping.signal,
		failed.reject,
	);
	const orFailure = <T>(work: Promise<T>): Promise<T> =>
		Promise.race([work, failed.promise]);
	say("Waiting until all rules are live.");
	while (programmed.count < rules) await orFailure(programmed.next());
	const allLiveMs = systemMs() - syncedMs;
	await sleep(2_000, undefined, { signal });

	say("Changing rules.");
	const receivedMs: number[] = [];
	const liveMs: number[] = [];
	const round = async (index: number): Promise<void> => {
		const marker = `round-${index}-end`;
		const name = `service-${index % rules}`;
		const team = `team-${(index % rules) % 20}`;
		await load.watch(marker);
		const { body } = await expectOk(
			client,
			"PATCH",
			`${ruleCollection(team)}/${name}`,
			{ spec: { headers: { response: { set: { "x-round": marker } } } } },
			{ "content-type": "application/merge-patch+json" },
		);
		const answeredMs = systemMs();
		const { metadata } = body as { metadata: { generation: number } };
		const [all, live] = await orFailure(
			Promise.all([
				load.received(),
				programmed.of(`${team}/${name}`, metadata.generation),
			]),
		);
		receivedMs.push(Math.max(0, Math.max(...all) - answeredMs));
		liveMs.push(Math.max(0, live - answeredMs));
		await sleep(pauseMs, undefined, { signal });
	};
	for (let index = 0; index < warmUpRounds; index++) await round(index);
	receivedMs.length = 0;
	liveMs.length = 0;
	const before = await load.totals();
	const cpuBefore = await server.cpuMs();
	const eventsBefore = programmed.events;
	for (let index = 0; index < rounds; index++)
		await round(warmUpRounds + index);
	const cpuMs = ((await server.cpuMs()) - cpuBefore) / rounds;
	const bytes = ((await load.totals()).bytes - before.bytes) / rounds / streams;
	// One event is the change itself.
	const writes = (programmed.events - eventsBefore) / rounds - 1;
	const rssMb = await server.rssMb();

	say("Listening to the idle server.");
	await sleep(5_000, undefined, { signal });
	const idleFrom = Date.now();
	const cpuBeforeIdle = await server.cpuMs();
	await sleep(idleMs, undefined, { signal });
	const idlePercent = (100 * ((await server.cpuMs()) - cpuBeforeIdle)) / idleMs;
	const idle = await requestsSince(cluster.auditLog, idleFrom);

	say(`Writing ${size.pods} Pods.`);
	const liveBefore = await server.liveMb();
	const objectsBefore = await server.metric("lateen_kube_objects");
	await createPods(client, size.pods);
	while (
		(await server.metric("lateen_kube_objects")) <
		objectsBefore + size.pods
	)
		await sleep(100, undefined, { signal });
	const liveAfter = await server.liveMb();
	stopping.abort();

	return [
		figure("start-wall", startWallMs, "ms", "< 3000"),
		figure("start-cpu", startCpuMs, "ms"),
		figure("first-sync-wall", syncedMs - openedMs, "ms"),
		figure("first-sync-cpu", syncCpuMs, "ms"),
		figure("all-rules-programmed-after-sync", allLiveMs, "ms"),
		figure("rule-change-received-p50", quantile(receivedMs, 0.5), "ms"),
		figure(
			"rule-change-received-p99",
			quantile(receivedMs, 0.99),
			"ms",
			"< 100",
		),
		figure("rule-change-programmed-p50", quantile(liveMs, 0.5), "ms"),
		figure("rule-change-programmed-p99", quantile(liveMs, 0.99), "ms", "< 300"),
		figure("rule-change-cpu", cpuMs, "ms"),
		figure("rule-change-bytes", bytes, "B/stream", "< 4096"),
		figure("rule-change-status-writes", writes, ""),
		figure("rss-after-changes", rssMb, "MB", "< 200"),
		figure("idle-cpu", idlePercent, "% of a core", "< 1"),
		figure("idle-requests-for-leases", idle.leases, "per min"),
		figure("idle-requests-for-watches", idle.watches, "per min"),
		figure("idle-requests-for-the-rest", idle.rest, "per min", "≤ 0"),
		figure(
			"live-memory-per-10000-pods",
			((liveAfter - liveBefore) * 10_000) / size.pods,
			"MB",
		),
	];

	async function start(state: string): Promise<ServerProcess> {
		const stateDir = join(dir, state);
		await mkdir(stateDir, { mode: 0o700 });
		return await startServer({
			program,
			source: [
				...["--source=kubernetes", `--kubeconfig=${cluster.kubeconfig}`],
				...[`--namespace=${namespace}`, "--webhook-listen=127.0.0.1:0"],
			],
			stateDir,
			profileDir: undefined,
			signal,
		});
	}
}

/** What signed the certificate of the server. */
async function readCa(client: ApiClient): Promise<string> {
	const { body } = await expectOk(
		client,
		"GET",
		`/api/v1/namespaces/${namespace}/configmaps/lateen-ca`,
	);
	const { data } = body as { readonly data: Readonly<Record<string, string>> };
	return data["ca.crt"] ?? "";
}

/** What Lateen asked of the API server, per minute, by what for. */
async function requestsSince(
	auditLog: string,
	fromMs: number,
): Promise<{ leases: number; watches: number; rest: number }> {
	const counts = { leases: 0, watches: 0, rest: 0 };
	const others = new Map<string, number>();
	for (const line of (await readFile(auditLog, "utf8")).split("\n")) {
		if (!line.includes('"userAgent":"lateen/')) continue;
		const event = JSON.parse(line) as {
			readonly verb: string;
			readonly stage: string;
			readonly requestReceivedTimestamp: string;
			readonly objectRef?: { readonly resource: string };
		};
		if (Date.parse(event.requestReceivedTimestamp) < fromMs) continue;
		// A watch is told of twice, when it begins and when it ends.
		if (event.verb === "watch" && event.stage !== "ResponseStarted") continue;
		if (event.verb === "watch") counts.watches += 1;
		else if (event.objectRef?.resource === "leases") counts.leases += 1;
		else {
			counts.rest += 1;
			const what = `${event.verb} ${event.objectRef?.resource}`;
			others.set(what, (others.get(what) ?? 0) + 1);
		}
	}
	for (const [what, count] of others) say(`  when idle: ${what}, ${count} ×`);
	const minutes = idleMs / 60_000;
	return {
		leases: counts.leases / minutes,
		watches: counts.watches / minutes,
		rest: counts.rest / minutes,
	};
}

async function buildProgram(signal: AbortSignal): Promise<string> {
	const build = spawn(process.execPath, [join(root, "hack/build.ts")], {
		stdio: "inherit",
		signal,
	});
	const [code] = await once(build, "exit");
	if (code !== 0) throw new Error("The program could not be built.");
	return join(root, "dist/lateen.js");
}

function describe({ services, rules, streams, rounds }: Size): string {
	return `${services.toLocaleString("en")} services with 2 endpoints each in 20 namespaces, ${rules.toLocaleString("en")} RouteRules, ${streams} delta streams over TLS with tokens of their pods, ${rounds} changes.`;
}

function say(text: string): void {
	console.error(`bench: ${text}`);
}

const stopping = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const)
	process.once(name, () => stopping.abort(new Error(`Ended by ${name}.`)));
try {
	await main(stopping.signal);
} catch (thrown) {
	const error: unknown = stopping.signal.aborted
		? stopping.signal.reason
		: thrown;
	console.error(error instanceof Error ? `bench: ${error.message}` : error);
	process.exitCode = 1;
}
