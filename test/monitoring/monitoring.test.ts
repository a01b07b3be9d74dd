/*
 * Alerts, dashboard, runbooks and pages of docs speak of metrics that there are, with
 * labels that they have, and of each other.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect } from "chai";
import { parse, parseAllDocuments } from "yaml";
import {
	parseAlertRules,
	printPrometheusRule,
	runbookOf,
} from "../../hack/docs/alert-rules.ts";
import { type FoundMetric, findMetrics } from "../../hack/docs/find-metrics.ts";
import { listCommands } from "../../src/cli/command-list.ts";

const ROOT = join(import.meta.dirname, "../..");
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");

const metrics = new Map<string, FoundMetric>(
	globSync("src/**/*.ts", { cwd: ROOT, exclude: ["src/gen/**"] })
		.flatMap((file) => findMetrics(file, read(file)).metrics)
		.map((metric) => [metric.name, metric]),
);
const rules = parseAlertRules(read("manifests/monitoring/lateen.rules.yaml"));

/** Labels that Prometheus gives to every series of a pod. */
const targetLabels = ["namespace", "pod", "job", "instance", "container"];

/** The metric behind the name of a series. */
function metricOf(series: string): FoundMetric | undefined {
	const whole = metrics.get(series);
	if (whole !== undefined) return whole;
	const family = metrics.get(series.replace(/_(bucket|sum|count)$/, ""));
	return family?.type === "histogram" ? family : undefined;
}

/**
 * What is wrong with the names and labels of an expression in PromQL.
 *
 * @param isProse a histogram may be named by its family
 */
function strangersIn(expr: string, isProse = false): readonly string[] {
	const strange: string[] = [];
	const known = new Set([...targetLabels, "le"]);
	const named = expr.matchAll(
		/\b((?:lateen|process)_[a-z0-9_]+)(?:\{([^}]*)\})?/g,
	);
	for (const [, series = "", matchers = ""] of named) {
		const metric = metricOf(series);
		if (metric === undefined) {
			strange.push(series);
			continue;
		}
		const isFamily = metric.type === "histogram" && series === metric.name;
		if (isFamily && !isProse)
			strange.push(`${series} without _bucket, _sum or _count`);
		for (const label of metric.labels) known.add(label);
		for (const [, label = ""] of matchers.matchAll(/([a-z_]+) *(?:=|!)/g))
			if (![...metric.labels, ...targetLabels].includes(label))
				strange.push(`${series}{${label}}`);
	}
	for (const [, list = ""] of expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g))
		for (const label of list.split(",").map((one) => one.trim()))
			if (label !== "" && !known.has(label)) strange.push(`by (${label})`);
	return strange;
}

describe("strangersIn", () => {
	it("finds what the tests below are to find", () => {
		expect(
			strangersIn(
				'sum by (stage) (rate(lateen_change_second_count{of="a"}[5m]))',
			),
		).to.deep.equal(["lateen_change_second_count", "by (stage)"]);
		expect(strangersIn('lateen_leader{kind="a"}')).to.deep.equal([
			"lateen_leader{kind}",
		]);
		expect(strangersIn("lateen_change_seconds")).to.have.length(1);
	});
});

describe("alerts", () => {
	it("are more than a few, each with a severity, a time and sentences", () => {
		expect(rules.length).to.be.greaterThan(20);
		expect(new Set(rules.map(({ alert }) => alert)).size).to.equal(
			rules.length,
		);
		for (const { alert, labels, annotations, for: after } of rules) {
			expect(alert).to.match(/^Lateen[A-Z][A-Za-z]+$/);
			expect(labels.severity, alert).to.be.oneOf([
				"critical",
				"warning",
				"info",
			]);
			expect(after, alert).to.match(/^\d+[mh]$/);
			expect(annotations.summary, alert).to.match(/^[A-Z].*\.$/);
			expect(annotations.description, alert).to.match(/\.$/);
		}
	});

	for (const { alert, expr, annotations } of rules) {
		it(`${alert} looks at metrics that there are, and has a page`, () => {
			expect(expr).to.match(/lateen_/);
			expect(strangersIn(expr)).to.deep.equal([]);
			const page = `docs/runbooks/${runbookOf(alert)}`;
			expect(annotations.runbook_url).to.match(/^https:\/\//);
			expect(annotations.runbook_url.endsWith(`/${page}`)).to.equal(true);
			const text = read(page);
			expect(text.split("\n")[0]).to.equal(`# ${alert}`);
			for (const heading of ["What it means", "How to look", "What to do"])
				expect(text).to.include(`\n## ${heading}\n`);
		});
	}

	it("are the same as an object of the Prometheus Operator", () => {
		const text = read("manifests/monitoring/lateen.rules.yaml");
		const object: unknown = parse(printPrometheusRule(text));
		expect(object).to.deep.include({ spec: parse(text) as object });
	});
});

describe("runbooks", () => {
	const pages = globSync("docs/runbooks/*.md", { cwd: ROOT })
		.filter((page) => basename(page) !== "README.md")
		.sort();

	it("are there for the alerts that there are, and for no others", () => {
		expect(pages.map((page) => basename(page))).to.deep.equal(
			rules.map(({ alert }) => runbookOf(alert)).sort(),
		);
	});

	const nothing = () => Promise.reject(new Error("not here"));
	const commands = listCommands({ serve: nothing, readTokenKey: nothing }).map(
		({ name }) => name,
	);
	for (const page of [...pages, "docs/observability.md"])
		it(`${basename(page)} names metrics, commands and pages that there are`, () => {
			const text = read(page);
			for (const [block] of text.matchAll(
				/`{1,3}[^`]*\b(lateen|process)_[^`]*`/g,
			))
				expect(strangersIn(block, true), block).to.deep.equal([]);
			for (const [, command] of text.matchAll(
				/(?:^|`|kubectl )lateen ([a-z-]+)\b/gm,
			))
				expect(commands).to.include(command);
			for (const [, link = ""] of text.matchAll(
				/\]\(([^)#:]+\.md)(#[^)]*)?\)/g,
			))
				expect(existsSync(join(ROOT, dirname(page), link)), link).to.equal(
					true,
				);
		});
});

describe("the dashboard", () => {
	interface Panel {
		readonly id: number;
		readonly title: string;
		readonly type: string;
		readonly description?: string;
		readonly targets?: readonly { readonly expr: string }[];
		readonly gridPos: {
			readonly x: number;
			readonly y: number;
			readonly w: number;
			readonly h: number;
		};
	}
	const { panels } = JSON.parse(
		read("manifests/monitoring/dashboard.json"),
	) as {
		readonly panels: readonly Panel[];
	};

	it("shows metrics that there are, and says what they are", () => {
		const shown = panels.filter(({ type }) => type !== "row");
		expect(shown.length).to.be.greaterThan(30);
		for (const { title, description, targets = [] } of shown) {
			expect(targets, title).to.not.equal([]);
			expect(description, title).to.match(/\.$/);
			for (const { expr } of targets)
				expect(strangersIn(expr), title).to.deep.equal([]);
		}
	});

	it("has panels that do not cover each other", () => {
		expect(new Set(panels.map(({ id }) => id)).size).to.equal(panels.length);
		const taken = new Set<string>();
		for (const { title, gridPos } of panels)
			for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
				for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
					expect(x, title).to.be.lessThan(24);
					expect(taken.has(`${x} ${y}`), title).to.equal(false);
					taken.add(`${x} ${y}`);
				}
	});
});

describe("being scraped", () => {
	const read1 = (path: string): Fields =>
		parseAllDocuments(read(path))[0]?.toJS() as Fields;
	type Fields = Readonly<Record<string, never>>;
	const deployment = read1("manifests/base/deployment.yaml") as unknown as {
		readonly spec: {
			readonly template: {
				readonly metadata: {
					readonly labels: Readonly<Record<string, string>>;
					readonly annotations: Readonly<Record<string, string>>;
				};
				readonly spec: {
					readonly containers: readonly {
						readonly args: readonly string[];
						readonly ports: readonly {
							readonly name: string;
							readonly containerPort: number;
						}[];
					}[];
				};
			};
		};
	};
	const { metadata, spec } = deployment.spec.template;
	const port = spec.containers[0]?.ports.find(
		({ name }) => name === "http-health",
	);

	it("happens at a port that the replica has and the NetworkPolicy lets in", () => {
		expect(spec.containers[0]?.args).to.include(
			`--health-listen=0.0.0.0:${port?.containerPort}`,
		);
		const policy = read1("manifests/base/network-policy.yaml") as unknown as {
			readonly spec: {
				readonly ingress: readonly {
					readonly from?: unknown;
					readonly ports: readonly { readonly port: string }[];
				}[];
			};
		};
		const [ingress] = policy.spec.ingress;
		expect(ingress?.from).to.equal(undefined);
		expect(ingress?.ports.map((one) => one.port)).to.include("http-health");
	});

	it("is asked for by annotations and by the PodMonitor alike", () => {
		expect(metadata.annotations).to.include({
			"prometheus.io/scrape": "true",
			"prometheus.io/port": String(port?.containerPort),
			"prometheus.io/path": "/metrics",
		});
		const monitor = read1(
			"manifests/monitoring/pod-monitor.yaml",
		) as unknown as {
			readonly spec: {
				readonly selector: { readonly matchLabels: object };
				readonly podMetricsEndpoints: readonly object[];
			};
		};
		expect(metadata.labels).to.include(monitor.spec.selector.matchLabels);
		expect(monitor.spec.podMetricsEndpoints[0]).to.include({
			port: port?.name,
			path: metadata.annotations["prometheus.io/path"],
		});
	});
});
