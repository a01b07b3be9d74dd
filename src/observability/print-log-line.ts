import { createColors } from "picocolors";

/**
 * One JSON log line as a line for people: `12:03:44.120 info  The mesh is built. services=4`.
 *
 * A line that is not an object of ours is passed on as it is.
 */
export function printLogLine(
	line: string,
	options: { readonly colours: boolean },
): string {
	const record = parseRecord(line);
	if (record === undefined) return line;
	const { time, level, message, ...fields } = record;
	const paint = createColors(options.colours);
	const paintLevel = {
		debug: paint.dim,
		info: paint.green,
		warn: paint.yellow,
		error: paint.red,
	};
	const name = String(level);
	const painter =
		Object.entries(paintLevel).find(([key]) => key === name)?.[1] ?? String;
	const data = Object.entries(fields)
		.map(([key, value]) => `${paint.dim(`${key}=`)}${printValue(value)}`)
		.join(" ");
	const clock = typeof time === "string" ? time.slice(11, 23) : "";
	return `${paint.dim(clock)} ${painter(name.padEnd(5))} ${String(message)}${data === "" ? "" : ` ${data}`}\n`;
}

function parseRecord(line: string): Record<string, unknown> | undefined {
	try {
		const value: unknown = JSON.parse(line);
		return typeof value === "object" && value !== null
			? { ...value }
			: undefined;
	} catch {
		// Not JSON, so not written by our logger: shown as it came.
		return undefined;
	}
}

function printValue(value: unknown): string {
	if (typeof value === "string")
		return /^[^\s="]+$/.test(value) ? value : JSON.stringify(value);
	return JSON.stringify(value) ?? "";
}
