/**
 * Figures about our own process, and their text form for Prometheus
 * (https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4).
 *
 * A figure with labels holds one value for each combination of label values
 * that was used; the set of label names is fixed when the figure is made.
 */

import { memoByInput } from "../lib/memo.ts";

/** Values of some labels, by name; not changed after their first use. */
export type Labels<Name extends string = string> = Readonly<
	Record<Name, string>
>;

/** The labels of a figure that has these; nothing for one that has none. */
type LabelsOf<Name extends string> = [Name] extends [never]
	? readonly []
	: readonly [labels: Labels<Name>];

/** A figure that only grows. */
export interface Counter<Name extends string = never> {
	/** Adds `amount`, 1 when left out; negative amounts are a mistake of the caller. */
	add(amount?: number, ...labels: LabelsOf<Name>): void;
}

/** A figure that goes up and down. */
export interface Gauge<Name extends string = never> {
	set(value: number, ...labels: LabelsOf<Name>): void;
	add(amount: number, ...labels: LabelsOf<Name>): void;
}

/** How often values fell below each of some limits, with their sum and number. */
export interface Histogram<Name extends string = never> {
	observe(value: number, ...labels: LabelsOf<Name>): void;
}

/** Limits that suit times from a tenth of a millisecond to seconds, in seconds. */
export const secondsBuckets: readonly number[] = [
	0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
	2.5, 5,
];

/** Limits that suit what takes from a millisecond to a minute, in seconds. */
export const slowSecondsBuckets: readonly number[] = [
	0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/**
 * Different combinations of label values that one figure keeps. Labels are words of
 * closed lists, so this is a net: what is beyond it counts as `other`, and a mistake
 * costs neither our memory nor Prometheus'.
 */
const maxSeries = 500;

interface Family {
	readonly type: "counter" | "gauge" | "histogram";
	/** What two that share a figure must agree on. */
	readonly definition: string;
	readonly help: string;
	readonly figure: unknown;
	readonly print: () => Iterable<string>;
}

/**
 * All figures of one process; there is no global one.
 *
 * Name, help and labels are written as literals where a figure is made: docs/metrics.md
 * is read from there. Who makes a figure that is there already, with the same words,
 * gets that one.
 */
export class MetricsRegistry {
	readonly #families = new Map<string, Family>();
	readonly #beforePrint: (() => void)[] = [];

	/** Makes a counter; its name ends in `_total`. */
	counter<const Name extends string = never>(
		name: string,
		help: string,
		labels: readonly Name[] = [],
	): Counter<Name> {
		return this.#make(
			{ name, type: "counter", help, definition: labels.join() },
			() => {
				const values = new LabelledValues(name, labels);
				const figure: Counter<string> = {
					add: (amount = 1, given) => {
						if (amount < 0)
							throw new Error(`The counter ${name} cannot shrink.`);
						values.add(amount, given);
					},
				};
				return { figure, print: () => values.print() };
			},
		);
	}

	/** Makes a gauge. */
	gauge<const Name extends string = never>(
		name: string,
		help: string,
		labels: readonly Name[] = [],
	): Gauge<Name> {
		return this.#make(
			{ name, type: "gauge", help, definition: labels.join() },
			() => {
				const values = new LabelledValues(name, labels);
				const figure: Gauge<string> = {
					set: (value, given) => values.set(value, given),
					add: (amount, given) => values.add(amount, given),
				};
				return { figure, print: () => values.print() };
			},
		);
	}

	/** Makes a histogram with these upper limits, ascending. */
	histogram<const Name extends string = never>(
		name: string,
		help: string,
		buckets: readonly number[],
		labels: readonly Name[] = [],
	): Histogram<Name> {
		const definition = `${labels.join()} ${buckets.join()}`;
		return this.#make({ name, type: "histogram", help, definition }, () => {
			const series = new Series(labels, () => new HistogramSeries(buckets));
			const figure: Histogram<string> = {
				observe: (value, given) => series.of(given).observe(value),
			};
			return {
				figure,
				print: () =>
					[...series.all()].flatMap(([key, one]) => [...one.print(name, key)]),
			};
		});
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

	#make<Figure>(
		about: Omit<Family, "figure" | "print"> & { readonly name: string },
		make: () => {
			readonly figure: unknown;
			readonly print: () => Iterable<string>;
		},
	): Figure {
		const { name, ...rest } = about;
		const known = this.#families.get(name);
		if (known === undefined) {
			if (!/^[a-z_][a-z0-9_]*$/.test(name))
				throw new Error(`${name} is not a name of a metric.`);
			const made = make();
			this.#families.set(name, { ...rest, ...made });
			return made.figure as Figure;
		}
		if (
			known.type !== about.type ||
			known.help !== about.help ||
			known.definition !== about.definition
		)
			throw new Error(`The metric ${name} exists already, with other words.`);
		return known.figure as Figure;
	}
}

/** Content type of `MetricsRegistry.print`. */
export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8";

/** What a figure keeps for each combination of label values, by their text. */
class Series<T> {
	readonly #names: readonly string[];
	readonly #make: () => T;
	readonly #all = new Map<string, T>();

	constructor(names: readonly string[], make: () => T) {
		this.#names = names;
		this.#make = make;
	}

	/** The one of these labels, made when there is none yet. */
	of(labels: Labels | undefined): T {
		const key = labels === undefined ? "" : labelText(labels);
		return this.#all.get(key) ?? this.#add(key);
	}

	/** By the text of their labels. */
	all(): ReadonlyMap<string, T> {
		return this.#all;
	}

	#add(key: string): T {
		const kept =
			this.#all.size < maxSeries
				? key
				: labelText(
						Object.fromEntries(this.#names.map((name) => [name, "other"])),
					);
		const made = this.#all.get(kept) ?? this.#make();
		this.#all.set(kept, made);
		return made;
	}
}

class LabelledValues {
	readonly #name: string;
	readonly #series: Series<{ value: number }>;

	constructor(name: string, labels: readonly string[]) {
		this.#name = name;
		this.#series = new Series(labels, () => ({ value: 0 }));
		// Without labels there is one value, from the start: a rate() over it must not miss its first step.
		if (labels.length === 0) this.#series.of(undefined);
	}

	set(value: number, labels: Labels | undefined): void {
		this.#series.of(labels).value = value;
	}

	add(amount: number, labels: Labels | undefined): void {
		this.#series.of(labels).value += amount;
	}

	*print(): Iterable<string> {
		for (const [labels, { value }] of this.#series.all())
			yield `${this.#name}${labels === "" ? "" : `{${labels}}`} ${printNumber(value)}`;
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

// What counts often does so with the same labels again and again.
const labelText = memoByInput((labels: Labels): string =>
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
