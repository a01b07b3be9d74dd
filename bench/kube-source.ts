/**
 * `node --expose-gc bench/kube-source.ts [COUNT]`: what reading many objects from
 * an API server costs: memory that stays, CPU of the list, and CPU of events that
 * change nothing that is used. The server is another process.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { openConnection } from "../src/kube/open-connection.ts";
import { addWatchMetrics } from "../src/kube/watch-metrics.ts";
import { systemClock } from "../src/lib/system-clock.ts";
import { silentLogger } from "../src/observability/logger.ts";
import { MetricsRegistry } from "../src/observability/metrics.ts";
import { createKubernetesSource } from "../src/sources/kubernetes.ts";
import { ObjectStore } from "../src/store/object-store.ts";

const COUNT = Number(process.argv[2] ?? 10_000);

function heapMb(): number {
	if (globalThis.gc === undefined)
		throw new Error("Run this with --expose-gc.");
	for (let round = 0; round < 3; round++) globalThis.gc();
	return process.memoryUsage().heapUsed / 1e6;
}

function cpuMs(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1000;
}

async function until(check: () => boolean): Promise<void> {
	while (!check()) await new Promise((resolve) => setTimeout(resolve, 2));
}

async function measure(kind: "Pod" | "EndpointSlice"): Promise<object> {
	const what = kind === "Pod" ? "pods" : "slices";
	const child = spawn(
		process.execPath,
		[join(import.meta.dirname, "kube-stream-process.ts"), what, String(COUNT)],
		{ stdio: ["ignore", "pipe", "inherit"] },
	);
	try {
		const [port] = (await once(child.stdout, "data")) as [Buffer];
		const url = `http://127.0.0.1:${String(port).trim()}`;
		const nothing = {
			ca: undefined,
			authorization: undefined,
			certificate: undefined,
		};
		await using connection = openConnection(
			{
				server: url,
				serverName: undefined,
				insecure: false,
				namespace: "default",
				headers: {},
				load: async () => nothing,
			},
			{ clock: systemClock, userAgent: "lateen/bench" },
		);
		const registry = new MetricsRegistry();
		const source = createKubernetesSource({
			name: "kubernetes",
			connection,
			clock: systemClock,
			logger: silentLogger,
			metrics: addWatchMetrics(registry),
			kinds: [kind],
		});
		const store = new ObjectStore(["kubernetes"]);
		let batches = 0;
		const sink = store.sinkOf("kubernetes");
		const stopping = new AbortController();
		const heapBefore = heapMb();
		const cpuBefore = cpuMs();
		const startMs = performance.now();
		const running = source.run(
			{
				apply(changes) {
					batches++;
					sink.apply(changes);
				},
				listed: () => sink.listed(),
			},
			stopping.signal,
		);
		await until(() => store.allListed.value);
		const listMs = performance.now() - startMs;
		const listCpuMs = cpuMs() - cpuBefore;
		const listRssMb = process.memoryUsage.rss() / 1e6;
		const heap = heapMb() - heapBefore;
		const bookmarks = () =>
			/event="bookmark"} (\d+)/.exec(registry.print())?.[1] ?? "0";
		const before = bookmarks();
		const batchesBefore = batches;
		const beatCpu = cpuMs();
		const answer = await connection.request(
			{ method: "GET", path: "/beat" },
			stopping.signal,
		);
		const bytes = Number(await answer.text());
		await until(() => bookmarks() !== before);
		const beatCpuMs = cpuMs() - beatCpu;
		const heapAfterBeat = heapMb() - heapBefore;
		const kept = store.objects.value[kind].size;
		stopping.abort();
		await running;
		return {
			kind,
			objects: kept,
			"bytes each": Math.round(bytes / COUNT),
			"list s": round(listMs / 1000),
			"list CPU ms": Math.round(listCpuMs),
			"RSS MB after list": Math.round(listRssMb),
			"heap MB kept": round(heap),
			"CPU ms of as many equal events": Math.round(beatCpuMs),
			"heap MB after them": round(heapAfterBeat),
			"batches for them": batches - batchesBefore,
		};
	} finally {
		child.kill();
		await once(child, "exit");
	}
}

function round(value: number): number {
	return Math.round(value * 10) / 10;
}

console.table([await measure("Pod"), await measure("EndpointSlice")]);
