/**
 * Runs the tests: `hack/test.ts all|fast [--grep TEXT] [PART OF A PATH]...`
 *
 * `fast` is what needs no Envoy and no process of its own; `all` is everything
 * but the tiers that have their own command. What is found is run: a file
 * without a test is a failure. The last line says `N passed, N failed`.
 */
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { ensureEnvoy, MissingPrerequisite } from "./ensure-envoy.ts";
import { type RanFile, runFiles, type TestGroup } from "./test/run-files.ts";

const ROOT = join(import.meta.dirname, "..");

/** Folders of tests that start programs; the rest runs inside the test process. */
const LIVE = ["test/cli/", "test/envoy/", "test/samples/"];
/** Folders with a command of their own. */
const ELSEWHERE = ["test/kind/", "test/soak/"];

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: { grep: { type: "string" } },
});
const [tier, ...parts] = positionals;
if (tier !== "all" && tier !== "fast") {
	throw new Error("Say which tests to run: all or fast.");
}

const found = globSync("{src,hack,samples,bench,test}/**/*.test.ts", {
	cwd: ROOT,
	exclude: ["src/gen", "**/node_modules"],
})
	.filter((file) => !ELSEWHERE.some((folder) => file.startsWith(folder)))
	.filter((file) => parts.length === 0 || parts.some((p) => file.includes(p)))
	.sort();
const isLive = (file: string): boolean =>
	LIVE.some((folder) => file.startsWith(folder));
const absolute = (file: string): string => join(ROOT, file);
const groups: readonly TestGroup[] = [
	{
		files: found.filter((file) => !isLive(file)).map(absolute),
		timeoutMs: 20_000,
		isolated: false,
	},
	{
		files: tier === "all" ? found.filter(isLive).map(absolute) : [],
		timeoutMs: 60_000,
		isolated: true,
	},
];

const startMs = performance.now();
const results: RanFile[] = [];
/** Why the live tests could not run at all. */
let setupFailure: string | undefined;
for (const group of groups) {
	if (group.files.length === 0) continue;
	// Tests of the live group ask for it again, and then find it at once.
	if (group.isolated && !(await hasEnvoy())) break;
	const jobs = Math.min(availableParallelism(), group.files.length);
	await runFiles(group, jobs, values.grep, (result) => {
		results.push(result);
		printResult(result);
	});
}
printSummary();

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
	for (const { file, failures, output } of failed) {
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
			`\n${styleText("red", "✗")} The tests with a real Envoy did not run. ${setupFailure}`,
		);
	}
	const skipped = results.flatMap((result) => result.skipped);
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
	console.log(
		`\n${results.length} files in ${((performance.now() - startMs) / 1000).toFixed(1)} s`,
	);
	if (passed + failures === 0) console.log("No test was found.");
	console.log(
		`${passed} passed, ${failures} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`,
	);
	process.exitCode = failures > 0 || passed === 0 ? 1 : 0;
}

function relative(file: string): string {
	return file.slice(ROOT.length + 1);
}

function indent(text: string): string {
	return text.replaceAll(/^/gm, "  ");
}
