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
	const shown = [heading, ...rows].map((row) => row.map(plain));
	const widths = heading.map((_, column) =>
		Math.max(...shown.map((row) => row[column]?.length ?? 0)),
	);
	return shown
		.map((row, index) => {
			const line = row
				.map((cell, column) =>
					column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
				)
				.join("  ")
				.trimEnd();
			return `${index === 0 ? bold(line) : line}\n`;
		})
		.join("");
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
