/**
 * Figures about our own process, and their text form for Prometheus
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
 *
 * A figure with labels holds one value for each combination of label values
 * that was used; the set of label names is fixed when the figure is made.
 */

import { memoByInput } from "../lib/memo.ts";

/** Values of labels, by name; not changed after their first use. */
export type Labels = Readonly<Record<string, string>>;

/** A figure that only grows. */
export interface Counter {
	/** Adds `amount`, 1 when left out; negative amounts are a mistake of the caller. */
	add(amount?: number, labels?: Labels): void;
}

/** A figure that goes up and down. */
export interface Gauge {
	set(value: number, labels?: Labels): void;
	add(amount: number, labels?: Labels): void;
}

/** How often values fell below each of some limits, with their sum and number. */
export interface Histogram {
	observe(value: number, labels?: Labels): void;
}

/** Limits that suit times from a tenth of a millisecond to seconds, in seconds. */
export const secondsBuckets: readonly number[] = [
	0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
	2.5, 5,
];

interface Family {
	readonly type: "counter" | "gauge" | "histogram";
	readonly help: string;
	readonly print: () => Iterable<string>;
}

/** All figures of one process; there is no global one. */
export class MetricsRegistry {
	readonly #families = new Map<string, Family>();
	readonly #beforePrint: (() => void)[] = [];

	/** Makes a counter; its name ends in `_total`. */
	counter(name: string, help: string): Counter {
		const values = new LabelledValues();
		this.#add(name, {
			type: "counter",
			help,
			print: () => values.print(name),
		});
		return {
			add: (amount = 1, labels) => {
				if (amount < 0) throw new Error(`The counter ${name} cannot shrink.`);
				values.add(amount, labels);
			},
		};
	}

	/** Makes a gauge. */
	gauge(name: string, help: string): Gauge {
		const values = new LabelledValues();
		this.#add(name, { type: "gauge", help, print: () => values.print(name) });
		return {
			set: (value, labels) => values.set(value, labels),
			add: (amount, labels) => values.add(amount, labels),
		};
	}

	/** Makes a histogram with these upper limits, ascending. */
	histogram(name: string, help: string, buckets: readonly number[]): Histogram {
		const series = new Map<string, HistogramSeries>();
		this.#add(name, {
			type: "histogram",
			help,
			print: () =>
				[...series].flatMap(([key, one]) => [...one.print(name, key)]),
		});
		return {
			observe: (value, labels) => {
				const key = labelText(labels);
				let one = series.get(key);
				if (one === undefined) {
					one = new HistogramSeries(buckets);
					series.set(key, one);
				}
				one.observe(value);
			},
		};
	}

	/** Calls `refresh` before each print: for gauges that are read, not told. */
	beforePrint(refresh: () => void): void {
		this.#beforePrint.push(refresh);
	}

	/** Everything in Prometheus' text format. */
	print(): string {
		for (const refresh of this.#beforePrint) refresh();
		const lines: string[] = [];
		for (const [name, family] of this.#families) {
			lines.push(`# HELP ${name} ${escapeHelp(family.help)}`);
			lines.push(`# TYPE ${name} ${family.type}`);
			lines.push(...family.print());
		}
		return `${lines.join("\n")}\n`;
	}

	#add(name: string, family: Family): void {
		if (!/^[a-z_][a-z0-9_]*$/.test(name))
			throw new Error(`${name} is not a name of a metric.`);
		if (this.#families.has(name))
			throw new Error(`The metric ${name} exists already.`);
		this.#families.set(name, family);
	}
}

/** Content type of `MetricsRegistry.print`. */
export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8";

class LabelledValues {
	readonly #values = new Map<string, number>();

	set(value: number, labels: Labels | undefined): void {
		this.#values.set(labelText(labels), value);
	}

	add(amount: number, labels: Labels | undefined): void {
		const key = labelText(labels);
		this.#values.set(key, (this.#values.get(key) ?? 0) + amount);
	}

	*print(name: string): Iterable<string> {
		// A figure that was never touched and has no labels is 0, not absent: a rate() over it must work from the start.
		if (this.#values.size === 0) yield `${name} 0`;
		for (const [labels, value] of this.#values)
			yield `${name}${labels === "" ? "" : `{${labels}}`} ${printNumber(value)}`;
	}
}

class HistogramSeries {
	readonly #buckets: readonly number[];
	readonly #counts: number[];
	#sum = 0;
	#count = 0;

	constructor(buckets: readonly number[]) {
		this.#buckets = buckets;
		this.#counts = buckets.map(() => 0);
	}

	observe(value: number): void {
		this.#sum += value;
		this.#count += 1;
		const index = this.#buckets.findIndex((limit) => value <= limit);
		if (index >= 0) this.#counts[index] = (this.#counts[index] ?? 0) + 1;
	}

	*print(name: string, labels: string): Iterable<string> {
		const prefix = labels === "" ? "" : `${labels},`;
		let below = 0;
		for (const [index, limit] of this.#buckets.entries()) {
			below += this.#counts[index] ?? 0;
			yield `${name}_bucket{${prefix}le="${printNumber(limit)}"} ${below}`;
		}
		yield `${name}_bucket{${prefix}le="+Inf"} ${this.#count}`;
		const braces = labels === "" ? "" : `{${labels}}`;
		yield `${name}_sum${braces} ${printNumber(this.#sum)}`;
		yield `${name}_count${braces} ${this.#count}`;
	}
}

function labelText(labels: Labels | undefined): string {
	return labels === undefined ? "" : printLabels(labels);
}

// What counts often does so with the same labels again and again.
const printLabels = memoByInput((labels: Labels): string =>
	Object.entries(labels)
		.map(([name, value]) => `${name}="${escapeLabel(value)}"`)
		.join(","),
);

function escapeLabel(value: string): string {
	return value
		.replaceAll("\\", "\\\\")
		.replaceAll('"', '\\"')
		.replaceAll("\n", "\\n");
}

function escapeHelp(help: string): string {
	return help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function printNumber(value: number): string {
	if (value === Number.POSITIVE_INFINITY) return "+Inf";
	if (value === Number.NEGATIVE_INFINITY) return "-Inf";
	return String(value);
}
