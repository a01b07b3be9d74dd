/**
 * `npm run bench:pods`: what a proxy costs the pod that it is in, in a cluster
 * with real pods that this starts itself, as a table with aims.
 *
 *   --quick        smaller and shorter; its figures compare with nothing
 *   --json FILE    the figures as a list of {name, value, unit, aim, meets}
 *   --write        the table into bench/results/pods.md
 *
 * What is compared with each other is measured in turns, so that a machine that
 * is busy for a while is busy for all of it.
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import {
	type KindCluster,
	ownKindCluster,
} from "../test/testkit/kind-cluster.ts";
import { installLateen } from "../test/testkit/kind-mesh.ts";
import { rollUnderLoad } from "../test/testkit/kind-rolling-update.ts";
import type { Load } from "../test/testkit/pod-app.ts";
import { type Figure, figure, printFigures, quantile } from "./figure.ts";
import { measureCreations } from "./pods-injection.ts";
import { measureLatencies, type PodLatencies } from "./pods-latency.ts";
import { measureProxyMemory } from "./pods-memory.ts";
import { measureStarts } from "./pods-start.ts";
import { runBench } from "./run-bench.ts";
import { say } from "./say.ts";
import { machine } from "./server-process.ts";

const run = promisify(execFile);
const root = join(import.meta.dirname, "..");

const sizes = {
	normal: {
		...{ starts: 10, rounds: 30, requests: 1_000, creations: 500 },
		...{ services: [100, 1_000], rate: 500 },
	},
	quick: {
		...{ starts: 2, rounds: 2, requests: 100, creations: 50 },
		...{ services: [20], rate: 100 },
	},
} as const;

type Size = (typeof sizes)["normal" | "quick"];

async function main(signal: AbortSignal): Promise<void> {
	const { values } = parseArgs({
		options: {
			quick: { type: "boolean", default: false },
			json: { type: "string" },
			write: { type: "boolean", default: false },
		},
	});
	const size = values.quick ? sizes.quick : sizes.normal;
	const loads = [loadavg()[0]];
	const figures = [...(await imageSizes())];
	{
		say("Starting a cluster with Lateen.");
		await using cluster = await ownKindCluster();
		const stopped = new Promise<never>((_, reject) => {
			signal.addEventListener("abort", () => reject(signal.reason));
		});
		figures.push(...(await Promise.race([measure(cluster, size), stopped])));
	}
	loads.push(loadavg()[0]);
	const report = printReport(figures, size, loads);
	console.log(`\n${report}`);
	if (values.json !== undefined)
		await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
	if (values.write)
		await writeFile(
			join(root, "bench/results/pods.md"),
			`# Figures of pods\n\nMade by \`npm run bench:pods -- --write\`. ${report}\n`,
		);
}

async function measure(
	cluster: KindCluster,
	size: Size,
): Promise<readonly Figure[]> {
	await installLateen(cluster);
	const starts = await measureStarts(cluster, size.starts);
	const latencies = await measureLatencies(cluster, size.rounds, size.requests);
	const creations = await measureCreations(cluster, size.creations);
	say(`Rolling three times three pods under ${size.rate} requests a second.`);
	const roll = await rollUnderLoad(cluster, size.rate);
	const memory: Figure[] = [];
	for (const services of size.services)
		memory.push(
			figure(
				`proxy-memory-${services}-services`,
				await measureProxyMemory(cluster, services),
				"MB",
			),
		);
	say(
		"The same while Kubernetes has all those Services to make away with, and is late with EndpointSlices.",
	);
	const late = await rollUnderLoad(cluster, size.rate);
	const failed = ({ sent, ok }: Load): number => sent - ok;
	const startP50 = (of: keyof typeof starts): number =>
		quantile(starts[of], 0.5);
	return [
		figure("start-to-first-answer-without-proxy-p50", startP50("plain"), "ms"),
		figure("start-to-first-answer-with-proxy-p50", startP50("meshed"), "ms"),
		figure("start-to-first-answer-with-bare-envoy-p50", startP50("bare"), "ms"),
		figure("start-ratio", startP50("meshed") / startP50("bare"), "×", "≤ 1.1"),
		...[0.5, 0.99].flatMap((share) => {
			const at = (round: PodLatencies, of: keyof PodLatencies): number =>
				quantile(round[of], share) / 1000;
			// A round in which others were busy is not to decide.
			const median = (value: (round: PodLatencies) => number): number =>
				quantile(latencies.map(value), 0.5);
			const perHop = (of: "bare" | "meshed"): number =>
				median((round) => (at(round, of) - at(round, "direct")) / 2);
			const bare = perHop("bare");
			const p = `p${share * 100}`;
			return [
				figure(
					`request-without-proxies-${p}`,
					median((round) => at(round, "direct")),
					"ms",
				),
				figure(`added-per-hop-bare-envoy-${p}`, bare, "ms"),
				figure(`added-per-hop-lateen-${p}`, perHop("meshed"), "ms"),
				figure(
					`added-per-hop-ratio-${p}`,
					// Where the machine's noise is larger than what a proxy adds, nothing is known.
					bare > 0 ? perHop("meshed") / bare : Number.NaN,
					"×",
					"≤ 1.1",
				),
			];
		}),
		figure(
			"creation-without-webhook-p50",
			quantile(creations.plain, 0.5),
			"ms",
		),
		figure("creation-with-webhook-p50", quantile(creations.meshed, 0.5), "ms"),
		figure(
			"creation-without-webhook-p99",
			quantile(creations.plain, 0.99),
			"ms",
		),
		figure("creation-with-webhook-p99", quantile(creations.meshed, 0.99), "ms"),
		...memory,
		figure("roll-3x3-requests", roll.meshed.sent + roll.plain.sent, ""),
		figure(
			"roll-3x3-failed",
			failed(roll.meshed) + failed(roll.plain),
			"",
			"≤ 0",
		),
		figure(
			"roll-3x3-slowest",
			Math.max(roll.meshed.slowestMs, roll.plain.slowestMs),
			"ms",
		),
		figure("late-roll-3x3-requests-from-proxies", late.meshed.sent, ""),
		figure("late-roll-3x3-failed-from-proxies", failed(late.meshed), "", "≤ 0"),
		figure("late-roll-3x3-failed-from-others", failed(late.plain), ""),
	];
}

/** As they are sent to a registry, compressed. */
async function imageSizes(): Promise<readonly Figure[]> {
	say("Building the images.");
	const folder = await mkdtemp(join(tmpdir(), "lateen-bench-"));
	try {
		await run(process.execPath, [
			...[join(root, "hack/image.ts"), "--out", folder, "--tag", "bench"],
		]);
		const sizeOf = async (name: string): Promise<number> =>
			(await stat(join(folder, `${name}.tar`))).size / 1e6;
		return [
			figure("image-lateen-compressed", await sizeOf("lateen"), "MB"),
			figure(
				"image-lateen-proxy-compressed",
				await sizeOf("lateen-proxy"),
				"MB",
			),
		];
	} finally {
		await rm(folder, { recursive: true });
	}
}

function printReport(
	figures: readonly Figure[],
	{ starts, rounds, requests, creations, rate }: Size,
	loads: readonly (number | undefined)[],
): string {
	const [before, after] = loads.map((load) => (load ?? 0).toPrecision(3));
	return [
		`${machine()}, and so are Kubernetes and all pods; others used the machine too (load average ${before} before, ${after} after), so trust counts and ratios more than times.`,
		`Starts: ${starts} pods of each sort in turns (no other containers; an init container that does nothing and the plainest Envoy as a native sidecar; an injected proxy), from \`kubectl apply\` of a Job to the answer to the first request of its application. Latency: ${rounds} rounds in turns of ${requests} requests one after the other on one connection, between two pods without proxies, with two Envoys of the plainest configuration, and with two injected proxies; a hop is one proxy, and each figure is the median of the rounds. Creation: ${creations} pods each in turns, by a dry run. Memory: resident, of a proxy that has just become ready, with two endpoints per Service. Roll: three Deployments of three pods at once under ${rate} requests a second, half of them from a pod without a proxy; the late one right after as many Services as memory was measured with were made and deleted, when Kubernetes writes EndpointSlices up to half a minute late, which callers without a proxy depend on.`,
		printFigures(figures),
	].join("\n\n");
}

await runBench(main);
