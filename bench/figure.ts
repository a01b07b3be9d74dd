/** One measured value and what it should be. */
export interface Figure {
	/** Stable: others compare it between runs. */
	readonly name: string;
	readonly value: number;
	readonly unit: string;
	/** What it should be, as people write it: `< 40`; undefined when it is only shown. */
	readonly aim: string | undefined;
	/** Whether it is as it should be; undefined without an aim. */
	readonly meets: boolean | undefined;
}

/** What a value should be: below, at most, or at least a number. */
export type Aim = `${"<" | "≤" | "≥"} ${number}`;

/** A figure, compared with its aim. */
export function figure(
	name: string,
	value: number,
	unit: string,
	aim?: Aim,
): Figure {
	return {
		name,
		value: rounded(value),
		unit,
		aim,
		meets: aim === undefined ? undefined : meets(value, aim),
	};
}

function meets(value: number, aim: Aim): boolean {
	const limit = Number(aim.slice(2));
	switch (aim[0]) {
		case "<":
			return value < limit;
		case "≤":
			return value <= limit;
		case "≥":
			return value >= limit;
		default:
			throw new Error(`${aim} is no aim.`);
	}
}

/** Three digits say all that such a measurement knows. */
function rounded(value: number): number {
	return Math.abs(value) >= 1_000
		? Math.round(value)
		: Number(value.toPrecision(3));
}

/** The figures as a table for people, in Markdown. */
export function printFigures(figures: readonly Figure[]): string {
	const rows = figures.map(({ name, value, unit, aim, meets }) => [
		name,
		`${value.toLocaleString("en")} ${unit}`.trim(),
		aim === undefined ? "" : `${aim} ${unit}`.trim(),
		meets === undefined ? "" : meets ? "yes" : "NO",
	]);
	const lines = [["Figure", "Value", "Aim", "Met"], ...rows];
	const widths = [0, 1, 2, 3].map((column) =>
		Math.max(...lines.map((line) => line[column]?.length ?? 0)),
	);
	const print = (cells: readonly string[]): string =>
		`| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`;
	const [head = [], ...body] = lines;
	const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
	return [print(head), rule, ...body.map(print)].join("\n");
}

/** The value below which this share of the values is. */
export function quantile(values: readonly number[], share: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
	return sorted[index] ?? Number.NaN;
}
