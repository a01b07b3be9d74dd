/** A metric as the code that makes it describes it. */
export interface FoundMetric {
	readonly name: string;
	readonly type: "counter" | "gauge" | "histogram";
	/** What it means, as Prometheus is told. */
	readonly help: string;
	readonly labels: readonly string[];
	/** The source that makes it. */
	readonly file: string;
}

/** What a source says about its metrics, or what is wrong there. */
export interface FoundMetrics {
	readonly metrics: readonly FoundMetric[];
	/** Full sentences. */
	readonly problems: readonly string[];
}

const text = /"(?:[^"\\]|\\.)*"/;
const call = new RegExp(
	`\\.(counter|gauge|histogram)\\(\\s*(?:(${text.source})\\s*,\\s*(${text.source})\\s*,?([^)]*)\\))?`,
	"g",
);

/**
 * The metrics that a source makes.
 *
 * Name, help and labels must be literals there, so that this page, the alerts and
 * the dashboards can be held against all there are without running anything.
 */
export function findMetrics(file: string, source: string): FoundMetrics {
	const metrics: FoundMetric[] = [];
	const problems: string[] = [];
	for (const [, type, name, help, rest] of source.matchAll(call)) {
		if (name === undefined || help === undefined) {
			problems.push(
				`${file}: a ${type} is made without a literal for its name and its help; write them out.`,
			);
			continue;
		}
		const metric: FoundMetric = {
			name: unquoted(name),
			type: typeOf(type),
			help: unquoted(help),
			labels: [...(rest ?? "").matchAll(new RegExp(text, "g"))].map(([label]) =>
				unquoted(label),
			),
			file,
		};
		metrics.push(metric);
		problems.push(...problemsOf(metric));
	}
	return { metrics, problems };
}

/** What Prometheus' naming asks for: https://prometheus.io/docs/practices/naming/ */
function problemsOf({ name, type, help, file }: FoundMetric): string[] {
	const problems: string[] = [];
	const say = (what: string): void => {
		problems.push(`${file}: the metric ${name} ${what}`);
	};
	if (!/^(lateen|process)_[a-z0-9_]+$/.test(name))
		say("must begin with lateen_ or process_.");
	if ((type === "counter") !== name.endsWith("_total"))
		say("must end in _total if and only if it is a counter.");
	if (type === "histogram" && !/_(seconds|bytes)$/.test(name))
		say("must end in its unit.");
	if (!help.endsWith(".")) say("needs a help text that ends with a stop.");
	return problems;
}

function typeOf(word: string | undefined): FoundMetric["type"] {
	if (word === "counter" || word === "gauge") return word;
	return "histogram";
}

function unquoted(literal: string): string {
	return String(JSON.parse(literal));
}
