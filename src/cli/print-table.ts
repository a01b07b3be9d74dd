import { createColors } from "picocolors";

/** How a table is printed. */
export interface TableOptions {
	readonly colours: boolean;
}

/**
 * Aligned columns with two spaces between them and a heading in capitals.
 *
 * Cells are plain text: control characters are shown as escapes, so that a name
 * from outside cannot write on the terminal.
 */
export function printTable(
	heading: readonly string[],
	rows: readonly (readonly string[])[],
	options: TableOptions,
): string {
	const { bold } = createColors(options.colours);
	const widths = columnWidths([heading, ...rows]);
	return [
		`${bold(printRow(heading, widths).trimEnd())}\n`,
		...rows.map((row) => printRow(row, widths)),
	].join("");
}

/** How wide each column must be for these rows. */
export function columnWidths(
	rows: readonly (readonly string[])[],
): readonly number[] {
	const columns = Math.max(...rows.map((row) => row.length));
	return Array.from({ length: columns }, (_, column) =>
		rows.reduce(
			(width, row) => Math.max(width, plain(row[column] ?? "").length),
			0,
		),
	);
}

/** One line of a table, for tables that grow while they are shown. */
export function printRow(
	row: readonly string[],
	widths: readonly number[],
): string {
	const line = row
		.map((cell, column) =>
			column === row.length - 1
				? plain(cell)
				: plain(cell).padEnd(widths[column] ?? 0),
		)
		.join("  ")
		.trimEnd();
	return `${line}\n`;
}

/** The text with control characters as escapes (`\u001b`). */
export function plain(text: string): string {
	return text.replaceAll(
		// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
		/[\u0000-\u001f\u007f-\u009f]/g,
		(character) =>
			`\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
	);
}
