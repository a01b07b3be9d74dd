/**
 * Writes the pages of docs/ that are made from code, and what is made of the
 * alerts; with `--check` it only says whether they are current and answers with
 * 1 when one is not.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { listCommands } from "../src/cli/command-list.ts";
import { printSettingsPage } from "../src/settings/print-settings-page.ts";
import { serveSchema } from "../src/settings/schema.ts";
import {
	parseAlertRules,
	printPrometheusRule,
	printRunbooksPage,
} from "./docs/alert-rules.ts";
import { findErrorCodes } from "./docs/error-codes.ts";
import { findMetrics } from "./docs/find-metrics.ts";
import { printCliPage } from "./docs/print-cli-page.ts";
import { printMetricsPage } from "./docs/print-metrics-page.ts";
import { printReasonsPage } from "./docs/print-reasons-page.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const found = globSync("src/**/*.ts", {
	cwd: root,
	exclude: ["src/gen/**", "src/**/*.test.ts"],
})
	.sort()
	.map((file) => {
		const source = readFileSync(`${root}${file}`, "utf8");
		const { codes, problems } = findErrorCodes(file, source);
		const found = findMetrics(file, source);
		return {
			codes,
			metrics: found.metrics,
			problems: [...problems, ...found.problems],
		};
	});
for (const problem of found.flatMap(({ problems }) => problems)) {
	console.error(problem);
	process.exitCode = 1;
}

// Nothing is run, so the parts are never asked for anything.
const parts = {
	serve: () => Promise.reject(new Error("not here")),
	readTokenKey: () => Promise.reject(new Error("not here")),
};
const commands = await Promise.all(
	listCommands(parts).map((listed) => listed.load()),
);

const rules = readFileSync(
	`${root}manifests/monitoring/lateen.rules.yaml`,
	"utf8",
);

const pages = [
	{ path: "docs/cli.md", text: printCliPage(commands) },
	{ path: "docs/settings.md", text: printSettingsPage(serveSchema) },
	{
		path: "docs/reasons.md",
		text: printReasonsPage(found.flatMap(({ codes }) => codes)),
	},
	{
		path: "docs/metrics.md",
		text: printMetricsPage(found.flatMap(({ metrics }) => metrics)),
	},
	{
		path: "docs/runbooks/README.md",
		text: printRunbooksPage(parseAlertRules(rules)),
	},
	{
		path: "manifests/monitoring/prometheus-rule.yaml",
		text: printPrometheusRule(rules),
	},
];

for (const { path, text } of pages) {
	const file = `${root}${path}`;
	if (!process.argv.includes("--check")) {
		writeFileSync(file, text);
		console.log(`wrote ${path}`);
	} else if (readIfThere(file) !== text) {
		console.error(
			`${path} is not what the code says; run \`node hack/generate-docs.ts\`.`,
		);
		process.exitCode = 1;
	}
}

function readIfThere(file: string): string | undefined {
	try {
		return readFileSync(file, "utf8");
	} catch {
		// A page that is missing is not current either.
		return undefined;
	}
}
