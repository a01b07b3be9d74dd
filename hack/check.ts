/**
 * Checks what no test can: types, format, lint, layers and house rules.
 *
 * Says of each what failed and how to mend it; exits 1 if any did.
 * `npm run check -- NAME...` runs only the checks named.
 */
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { styleText } from "node:util";
import type { CheckResult } from "./check/finding.ts";
import {
	checkFolders,
	checkGoldens,
	checkLockFile,
	checkTodos,
} from "./check/house-rules.ts";
import { runTool } from "./check/run-tool.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDERS = ["src", "test", "hack", "bench", "samples"].filter((folder) =>
	existsSync(join(ROOT, folder)),
);

interface Check {
	readonly name: string;
	readonly run: () => Promise<CheckResult>;
}

/** The slow ones first, so that the last to finish is a short one. */
const CHECKS: readonly Check[] = [
	tool("lint", "Mend each, or say in a comment why the line is right.", [
		"node_modules/eslint/bin/eslint.js",
		...["--max-warnings=0", "--no-error-on-unmatched-pattern"],
		...FOLDERS,
	]),
	tool("types", "Mend the types; src/gen is made by npm run generate.", [
		...["node_modules/typescript-native/bin/tsc", "-p", "tsconfig.json"],
		...(process.stdout.isTTY ? ["--pretty"] : []),
	]),
	tool(
		"layers",
		"Move the code to the folder that owns it, or let the consumer declare the interface (docs/architecture.md).",
		[
			"node_modules/dependency-cruiser/bin/dependency-cruiser.mjs",
			...["--config", ".dependency-cruiser.mjs", "--output-type", "err-long"],
			...FOLDERS,
		],
	),
	tool("format", "npx biome check --write mends most of it.", [
		"node_modules/@biomejs/biome/bin/biome",
		"ci",
		...["--colors=off", "--max-diagnostics=20", "--diagnostic-level=warn"],
	]),
	tool(
		"docs",
		"node hack/generate-docs.ts writes the pages that are made from code.",
		["hack/generate-docs.ts", "--check"],
	),
	tool(
		"chart",
		"node hack/generate-chart.ts makes the chart of the manifests; values.yaml is written by hand.",
		["hack/generate-chart.ts", "--check"],
	),
	{ name: "goldens", run: checkGoldens },
	{ name: "todos", run: checkTodos },
	{ name: "lock file", run: checkLockFile },
	{ name: "folders", run: checkFolders },
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter(
	(name) => !CHECKS.some((check) => check.name === name),
);
if (unknown.length > 0) {
	throw new Error(
		`There is no check ${unknown.join(", ")}. There are: ${CHECKS.map(({ name }) => name).join(", ")}.`,
	);
}

const waiting = CHECKS.filter(
	({ name }) => wanted.length === 0 || wanted.includes(name),
);
const failed: string[] = [];
await Promise.all(Array.from({ length: availableParallelism() }, runNext));
console.log(
	failed.length === 0
		? "\nAll checks passed."
		: `\nFailed: ${failed.join(", ")}. Run one alone with npm run check -- ${failed[0]?.includes(" ") ? `"${failed[0]}"` : failed[0]}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;

async function runNext(): Promise<void> {
	for (;;) {
		const check = waiting.shift();
		if (check === undefined) return;
		const startMs = performance.now();
		const { report, remedy } = await check.run();
		const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
		const took = styleText("dim", `${seconds} s`);
		if (report === "") {
			console.log(`${styleText("green", "✓")} ${check.name} ${took}`);
			continue;
		}
		failed.push(check.name);
		console.log(
			`\n${styleText("red", "✗")} ${styleText("bold", check.name)} ${took}\n\n${report.replaceAll(/^/gm, "  ")}\n\n  ${styleText("bold", "To mend it:")} ${remedy}\n`,
		);
	}
}

function tool(name: string, remedy: string, argv: readonly string[]): Check {
	return { name, run: async () => ({ report: await runTool(argv), remedy }) };
}
