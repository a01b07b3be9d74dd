import type { Setting } from "../settings/setting.ts";

/** The option `-o` of commands that print data. */
export const outputOption = {
	type: "choice",
	values: ["table", "json", "yaml"],
	default: "table",
	short: "o",
	help: "Form of the result: a table for people, JSON or YAML for programs",
} as const satisfies Setting;

/** A value as JSON or YAML. */
export async function printValue(
	value: unknown,
	format: "json" | "yaml",
): Promise<string> {
	if (format === "json") return `${JSON.stringify(value, undefined, 2)}\n`;
	const { stringify } = await import("yaml");
	return stringify(value, {
		lineWidth: 0,
		aliasDuplicateObjects: false,
		// Kubernetes reads YAML 1.1, where `off` without quotes is no text.
		version: "1.1",
	});
}
