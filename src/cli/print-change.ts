import { createTwoFilesPatch, FILE_HEADERS_ONLY } from "diff";
import { createColors } from "picocolors";
import { stringify } from "yaml";
import { printRef } from "../api/object-ref.ts";
import type { Printer } from "../xds/generate/print.ts";
import type { Resource } from "../xds/resource.ts";
import { typeUrls } from "../xds/resource-type.ts";
import { plain } from "./print-table.ts";
import type { ResourceChange } from "./proxy-changes.ts";

/** How the two sides of a diff are called. */
export interface DiffSides {
	readonly before: string;
	readonly after: string;
}

/** The unified diff of one resource, as YAML with the field names of Envoy's documentation. */
export function printChange(
	change: ResourceChange,
	sides: DiffSides,
	print: Printer,
	colours: boolean,
): string {
	const { word, name, before, after } = change;
	const text = (resource: Resource | undefined): string =>
		resource === undefined
			? ""
			: stringify(print(typeUrls[word.type], resource.bytes), {
					lineWidth: 0,
					aliasDuplicateObjects: false,
				});
	const title = (resource: Resource | undefined, side: string): string =>
		resource === undefined
			? "/dev/null"
			: `${word.word}/${name}  (${side}, ${resource.version})`;
	const patch = createTwoFilesPatch(
		plain(title(before, sides.before)),
		plain(title(after, sides.after)),
		text(before),
		text(after),
		undefined,
		undefined,
		{ context: 3, headerOptions: FILE_HEADERS_ONLY },
	);
	return `${patch
		.trimEnd()
		.split("\n")
		.map((line) => paintLine(line, colours))
		.join("\n")}\n`;
}

/** The objects that a resource comes from, before or after. */
export function originsOfChange({ before, after }: ResourceChange): string {
	const origins = [...(after?.origins ?? []), ...(before?.origins ?? [])];
	return [...new Set(origins.map(printRef))].join(", ");
}

function paintLine(line: string, colours: boolean): string {
	const { bold, red, green, cyan } = createColors(colours);
	const shown = plain(line);
	if (line.startsWith("---") || line.startsWith("+++")) return bold(shown);
	if (line.startsWith("@@")) return cyan(shown);
	if (line.startsWith("-")) return red(shown);
	return line.startsWith("+") ? green(shown) : shown;
}
