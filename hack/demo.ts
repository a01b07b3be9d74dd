/**
 * The demo: the control plane on a copy of `samples/bookinfo`, its services as
 * processes with real Envoys, on loopback.
 *
 *   npm run demo               runs until Ctrl-C and says what to try
 *   npm run demo -- --check    tries it by itself; exit status 0 or 1
 *   npm run demo -- --dir D    works in D and leaves its files there
 *
 * `--kubernetes` puts the sample's objects into a Kubernetes API server instead,
 * for people with kubectl: into the one that `npm run cluster` holds (in its usual
 * folder, or in the one that `--cluster` names), or else into one of its own.
 */
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, styleText } from "node:util";
import { ClusterError } from "./cluster/control-plane.ts";
import {
	type Bookinfo,
	type BookinfoPlace,
	startBookinfo,
} from "./demo/bookinfo.ts";
import { type DemoCluster, openDemoCluster } from "./demo/demo-cluster.ts";
import { DemoError } from "./demo/demo-error.ts";
import { folderGround } from "./demo/folder-ground.ts";
import type { Ground } from "./demo/ground.ts";
import { kubernetesGround } from "./demo/kubernetes-ground.ts";
import { printKubernetesThings } from "./demo/kubernetes-things.ts";
import { printThreeThings } from "./demo/three-things.ts";
import { tryKubernetesThings } from "./demo/try-kubernetes-things.ts";
import { tryThreeThings } from "./demo/try-three-things.ts";
import { ensureEnvoy } from "./ensure-envoy.ts";
import { MissingPrerequisite } from "./programs/missing-prerequisite.ts";
import { type Ending, type Part, Parts } from "./programs/parts.ts";
import { firstStopSignal } from "./stop-signal.ts";

/** One way to run the demo. */
interface Demo {
	readonly ground: Ground;
	/** What to try. */
	print(bookinfo: Bookinfo): string;
	/** Tries it. */
	attempt(bookinfo: Bookinfo, say: (line: string) => void): Promise<void>;
}

/** Where people like to find the page. What tries the demo takes any port: there may be several at once. */
const FAVOURITE_PORT = 9080;

const stopSignal = firstStopSignal();
process.exitCode = await runDemo().catch((error: unknown) => {
	console.error(`\n${styleText("red", "✗")} ${printFailure(error)}`);
	return 1;
});

async function runDemo(): Promise<number> {
	const { values } = parseArgs({
		options: {
			check: { type: "boolean" },
			dir: { type: "string" },
			kubernetes: { type: "boolean" },
			cluster: { type: "string" },
		},
	});
	if (values.cluster !== undefined && values.kubernetes !== true)
		throw new DemoError("--cluster goes with --kubernetes.");
	const isCheck = values.check === true;
	const envoy = await ensureEnvoy();
	const dir = openWorkingDir(values.dir);
	let isWanted = values.dir !== undefined;
	try {
		await using cluster =
			values.kubernetes === true
				? await openCluster(dir, values.cluster)
				: undefined;
		await using parts = new Parts(join(dir, "logs"));
		stopSignal.onSecond(() => {
			parts.killAll();
			cluster?.killAll();
		});
		await using demo =
			cluster === undefined
				? onFolder(dir, parts)
				: onKubernetes(cluster, dir, parts);
		const act = isCheck ? check : show;
		const work = act({ envoy, dir }, demo, parts);
		const code = await Promise.race([
			work,
			stopSignal.first.then(() => "stopped" as const),
		]);
		// What the unfinished work says when its parts are taken away is of no interest.
		void work.catch(() => {});
		if (code !== "stopped") return code;
		console.log("\nEnding everything.");
		return isCheck ? 1 : 0;
	} catch (error) {
		isWanted = true;
		console.error(`\nLogs of all parts: ${join(dir, "logs")}`);
		throw error;
	} finally {
		if (!isWanted) await rm(dir, { recursive: true, force: true });
	}
}

function onFolder(dir: string, parts: Parts): Demo & AsyncDisposable {
	const stateDir = join(dir, "state");
	return {
		ground: folderGround(stateDir, parts, sayStep),
		print: (bookinfo) => printThreeThings(bookinfo, stateDir),
		attempt: tryThreeThings,
		[Symbol.asyncDispose]: () => Promise.resolve(),
	};
}

/** Its objects are taken away while the control plane still runs, so that this cleans up after them. */
function onKubernetes(
	cluster: DemoCluster,
	dir: string,
	parts: Parts,
): Demo & AsyncDisposable {
	const ground = kubernetesGround(cluster, join(dir, "state"), parts, sayStep);
	return {
		ground,
		print: (bookinfo) => printKubernetesThings(bookinfo, cluster),
		attempt: (bookinfo, say) => tryKubernetesThings(bookinfo, cluster, say),
		[Symbol.asyncDispose]: async () => {
			if (cluster.isOwn) return;
			await ground
				.remove()
				.catch((error: unknown) =>
					console.error(`Some objects are still there: ${printFailure(error)}`),
				);
		},
	};
}

async function openCluster(
	dir: string,
	folder: string | undefined,
): Promise<DemoCluster> {
	const abort = new AbortController();
	void stopSignal.first.then(() => abort.abort());
	return await openDemoCluster(dir, folder, abort.signal);
}

async function show(
	place: BookinfoPlace,
	demo: Demo,
	parts: Parts,
): Promise<number> {
	const bookinfo = await startBookinfo(
		{ ...place, favouritePort: FAVOURITE_PORT },
		demo.ground,
		parts,
		sayStep,
	);
	console.log(demo.print(bookinfo));
	parts.onCrash((part, ending) =>
		console.error(
			`\n${styleText("red", "✗")} ${printCrash(part, ending)}\n\nThe rest goes on; Ctrl-C ends it.`,
		),
	);
	return await new Promise<number>(() => {});
}

async function check(
	place: BookinfoPlace,
	demo: Demo,
	parts: Parts,
): Promise<number> {
	const bookinfo = await startBookinfo(place, demo.ground, parts, sayStep);
	console.log(`Bookinfo is up: ${bookinfo.url}\n`);
	const crash = new Promise<never>((_, reject) => {
		parts.onCrash((part, ending) =>
			reject(new DemoError(printCrash(part, ending))),
		);
	});
	await Promise.race([
		demo.attempt(bookinfo, (line) => {
			// What is seen while everything comes down is not worth telling.
			if (parts.crashed === undefined) console.log(line);
		}),
		crash,
	]);
	console.log(`\n${styleText("green", "✓")} The demo does what it says.`);
	return 0;
}

function sayStep(step: string): void {
	console.log(`${styleText("green", "✓")} ${step}`);
}

function printCrash(part: Part, { how }: Ending): string {
	return `${part.name} ended by itself (${how}). Its last lines:\n\n${part.lastLines(12).replaceAll(/^/gm, "  ")}\n\nAll of it: ${part.logFile}`;
}

function openWorkingDir(wanted: string | undefined): string {
	if (wanted === undefined) return mkdtempSync(join(tmpdir(), "lateen-demo-"));
	const dir = resolve(wanted);
	mkdirSync(dir, { recursive: true });
	if (readdirSync(dir).length > 0) {
		throw new DemoError(
			`${dir} is not empty. Name a new folder, or leave --dir out.`,
		);
	}
	return dir;
}

function printFailure(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	if (
		error instanceof DemoError ||
		error instanceof ClusterError ||
		error instanceof MissingPrerequisite
	) {
		return error.message;
	}
	const isUsage =
		"code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
	return isUsage
		? `${error.message}. The demo takes --check, --dir FOLDER, --kubernetes and --cluster FOLDER, and nothing else.`
		: (error.stack ?? error.message);
}
