/**
 * Runs the tests: `hack/test.ts all|fast|apiserver|kind [--grep TEXT] [--again] [PART OF A PATH]...`
 *
 * `fast` is what needs no Envoy and no process of its own; `all` is everything
 * but the tiers that have their own command; `apiserver` is what needs a real
 * Kubernetes API server, which all its files share; `kind` what needs pods that
 * run, in a cluster that they share; where the machine can hold none, its files
 * are skipped, and it is said why. What is found is run: a file without a test
 * is a failure. The last line says `N passed, N failed`.
 *
 * With `--again`, a few files with real programs that failed while they shared
 * the machine run once more, alone; what failed the first time is told in full.
 */
import { globSync, mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { ControlPlane } from "./cluster/control-plane.ts";
import { installCrds } from "./cluster/install-crds.ts";
import { NoNodeHere } from "./cluster/node/no-node-here.ts";
import { startClusterWithNode } from "./cluster/node/start-cluster.ts";
import { ensureEnvoy } from "./ensure-envoy.ts";
import { ensureKubernetes } from "./ensure-kubernetes.ts";
import { MissingPrerequisite } from "./programs/missing-prerequisite.ts";
import { firstStopSignal } from "./stop-signal.ts";
import { type RanFile, runFiles, type TestGroup } from "./test/run-files.ts";

const ROOT = join(import.meta.dirname, "..");

/** More failures than these are no accident. */
const MOST_AGAIN = 3;

/** Which files a tier runs, and in which way. */
interface Tier {
	readonly includes: (file: string) => boolean;
	readonly isLive: (file: string) => boolean;
}

/** Folders of tests that start programs; the rest runs inside the test process. */
const LIVE = ["test/cli/", "test/envoy/", "test/image/", "test/samples/"];
const APISERVER = "test/apiserver/";
/** Folders with a command of their own. */
const KIND = "test/kind/";
const ELSEWHERE = [APISERVER, KIND, "test/soak/"];

const isIn = (folders: readonly string[], file: string): boolean =>
	folders.some((folder) => file.startsWith(folder));
const TIERS: Readonly<Record<string, Tier>> = {
	all: {
		includes: (file) => !isIn(ELSEWHERE, file),
		isLive: (file) => isIn(LIVE, file),
	},
	fast: {
		includes: (file) => !isIn([...ELSEWHERE, ...LIVE], file),
		isLive: () => false,
	},
	apiserver: {
		includes: (file) => isIn([APISERVER], file),
		isLive: () => true,
	},
	kind: { includes: (file) => isIn([KIND], file), isLive: () => true },
};

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: {
		grep: { type: "string" },
		again: { type: "boolean", default: false },
	},
});
const [tierName = "", ...parts] = positionals;
const tier = TIERS[tierName];
if (tier === undefined) {
	throw new Error(`Say which tests to run: ${Object.keys(TIERS).join(", ")}.`);
}

const found = globSync("{src,hack,samples,bench,test}/**/*.test.ts", {
	cwd: ROOT,
	exclude: ["src/gen", "**/node_modules"],
})
	.filter(tier.includes)
	.filter((file) => parts.length === 0 || parts.some((p) => file.includes(p)))
	.sort();
const absolute = (file: string): string => join(ROOT, file);
/** Files whose pods share a node run one after another: they wait for each other anyway. */
const JOBS = tierName === "kind" ? 1 : availableParallelism();
/** A server that starts on a busy machine takes its time, and a rollout more. */
const LIVE_TIMEOUTS_MS: Readonly<Record<string, number>> = {
	apiserver: 120_000,
	kind: 300_000,
};
const groups: readonly TestGroup[] = [
	{
		files: found.filter((file) => !tier.isLive(file)).map(absolute),
		timeoutMs: 20_000,
		isolated: false,
	},
	{
		files: found.filter(tier.isLive).map(absolute),
		timeoutMs: LIVE_TIMEOUTS_MS[tierName] ?? 60_000,
		isolated: true,
	},
];

const startMs = performance.now();
const results: RanFile[] = [];
/** What failed at first and passed alone. */
const unsteady: RanFile[] = [];
/** Why the live tests could not run at all. */
let setupFailure: string | undefined;
/** Why this machine cannot run them. */
let setupSkip: string | undefined;
/** Where the API server keeps its logs, if one runs. */
let clusterDir: string | undefined;
if (tierName === "apiserver") await withCluster(runGroups);
else if (tierName === "kind") await withNode(runGroups);
else await runGroups();
printSummary();
if (clusterDir !== undefined) {
	if (process.exitCode === 0) await rm(clusterDir, { recursive: true });
	// Tests that were stopped would go on.
	process.exit();
}

async function runGroups(): Promise<void> {
	for (const group of groups) {
		if (group.files.length === 0) continue;
		// Tests of the live group ask for it again, and then find it at once.
		if (group.isolated && !(await hasEnvoy())) break;
		const jobs = Math.min(JOBS, group.files.length);
		await runFiles(group, jobs, values.grep, (result) => {
			results.push(result);
			printResult(result);
		});
		if (values.again && group.isolated) await runFailedAgain(group);
	}
}

async function runFailedAgain(group: TestGroup): Promise<void> {
	const failed = results.filter(
		({ file, failures }) => failures.length > 0 && group.files.includes(file),
	);
	if (failed.length > MOST_AGAIN) return;
	for (const first of failed) {
		console.log(`Once more, alone: ${relative(first.file)}`);
		const files = [first.file];
		await runFiles({ ...group, files }, 1, values.grep, (result) => {
			printResult(result);
			if (result.failures.length > 0) return;
			unsteady.push(first);
			results[results.indexOf(first)] = result;
		});
	}
}

/** Tests find the cluster by the variable that `sharedCluster` of the testkit reads. */
async function withCluster(act: () => Promise<void>): Promise<void> {
	await withStarted(act, async (dir, signal) => {
		const programs = await ensureKubernetes(signal);
		const plane = await ControlPlane.start(dir, programs);
		await installCrds(plane);
		const { kubeconfig, server, auditLog, kubectl } = plane;
		process.env["LATEEN_TEST_CLUSTER"] = JSON.stringify({
			...{ kubeconfig, server, auditLog, kubectl },
		});
		return plane;
	});
}

/** Tests find it by the variable that `sharedKindCluster` of the testkit reads. */
async function withNode(act: () => Promise<void>): Promise<void> {
	await withStarted(act, async (dir, signal) => {
		const cluster = await startClusterWithNode(dir, {}, signal);
		const { kubeconfig, server, auditLog, kubectl, node } = cluster;
		process.env["LATEEN_TEST_KIND"] = JSON.stringify({
			...{ kubeconfig, server, auditLog, kubectl, node },
		});
		return cluster;
	});
}

async function withStarted(
	act: () => Promise<void>,
	start: (
		dir: string,
		signal: AbortSignal,
	) => Promise<AsyncDisposable & { readonly crash: Promise<string> }>,
): Promise<void> {
	const stopSignal = firstStopSignal();
	const abort = new AbortController();
	void stopSignal.first.then(() => abort.abort());
	try {
		clusterDir = mkdtempSync(join(tmpdir(), "lateen-cluster-"));
		await using cluster = await start(clusterDir, abort.signal);
		setupFailure =
			(await Promise.race([
				act(),
				stopSignal.first.then(() => "They were stopped."),
				cluster.crash,
			])) ?? setupFailure;
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error);
		if (error instanceof NoNodeHere) setupSkip = why;
		else setupFailure = why;
		// Before anything was started there is nothing to read.
		if (clusterDir !== undefined && readdirSync(clusterDir).length === 0) {
			await rm(clusterDir, { recursive: true });
			clusterDir = undefined;
		}
	}
}

async function hasEnvoy(): Promise<boolean> {
	try {
		process.env["LATEEN_ENVOY"] = await ensureEnvoy();
		return true;
	} catch (error) {
		if (!(error instanceof MissingPrerequisite)) throw error;
		setupFailure = error.message;
		return false;
	}
}

function printResult(result: RanFile): void {
	const { passed, failures, skipped, durationMs } = result;
	if (passed + failures.length + skipped.length === 0) return;
	const seconds = (durationMs / 1000).toFixed(1);
	const counts = [
		`${passed} passed`,
		...(failures.length > 0 ? [`${failures.length} failed`] : []),
		...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
	].join(", ");
	const mark =
		failures.length > 0 ? styleText("red", "✗") : styleText("green", "✓");
	console.log(
		`${mark} ${relative(result.file)} ${styleText("dim", `${counts}, ${seconds} s`)}`,
	);
}

function printSummary(): void {
	const failed = results.filter(({ failures }) => failures.length > 0);
	for (const { file, failures, output } of [...unsteady, ...failed]) {
		for (const { title, text } of failures) {
			console.log(
				`\n${styleText("red", "✗")} ${styleText("bold", title)}\n  ${relative(file)}\n\n${indent(text)}`,
			);
		}
		if (output.trim() !== "") {
			console.log(`\n  It printed:\n${indent(output.trim().slice(-4_000))}`);
		}
	}
	if (setupFailure !== undefined) {
		console.log(
			`\n${styleText("red", "✗")} Not all tests ran. ${setupFailure}`,
		);
	}
	if (unsteady.length > 0) {
		console.log("\nFailed at first, as told above, and passed alone:");
		for (const { file } of unsteady) console.log(`  ${relative(file)}`);
	}
	const skipped = results.flatMap((result) => result.skipped);
	if (setupSkip !== undefined)
		skipped.push(...found.map((file) => `${file}: ${setupSkip}`));
	if (skipped.length > 0) {
		console.log(`\nNot run here:`);
		for (const title of skipped) console.log(`  ${title}`);
	}
	const sum = (count: (result: RanFile) => number): number =>
		results.reduce((total, result) => total + count(result), 0);
	const failures =
		sum((result) => result.failures.length) +
		(setupFailure === undefined ? 0 : 1);
	const passed = sum((result) => result.passed);
	if (failures > 0 && clusterDir !== undefined) {
		// What it printed is of interest only when something failed.
		console.log(`\nLogs of the cluster: ${join(clusterDir, "logs")}`);
	}
	console.log(
		`\n${results.length} files in ${((performance.now() - startMs) / 1000).toFixed(1)} s`,
	);
	if (passed + failures + skipped.length === 0)
		console.log("No test was found.");
	console.log(
		`${passed} passed, ${failures} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`,
	);
	const didNothing = passed === 0 && setupSkip === undefined;
	process.exitCode = failures > 0 || didNothing ? 1 : 0;
}

function relative(file: string): string {
	return file.slice(ROOT.length + 1);
}

function indent(text: string): string {
	return text.replaceAll(/^/gm, "  ");
}
