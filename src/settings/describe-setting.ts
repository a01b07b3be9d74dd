import { flagName, type Schema, type Setting } from "./setting.ts";

/** How a flag is typed: `-o, --output json|yaml|table`. */
function describeFlag(name: string, setting: Setting): string {
	const short = setting.short === undefined ? "    " : `-${setting.short}, `;
	const value =
		setting.type === "boolean" ? "" : ` ${valuePlaceholder(setting)}`;
	return `${short}--${flagName(name)}${value}`;
}

/** What stands for the value of a setting: `DURATION`, `json|text`. */
export function valuePlaceholder(setting: Setting): string {
	return (
		setting.placeholder ??
		setting.values?.join("|") ??
		setting.type.toUpperCase()
	);
}

/** One help line for each flag, aligned; the second column says what it is and its default. */
export function describeFlags(
	schema: Schema,
): readonly (readonly [string, string])[] {
	return Object.entries(schema).map(([name, setting]) => [
		describeFlag(name, setting),
		`${setting.help}${remarks(setting)}`,
	]);
}

function remarks(setting: Setting): string {
	const parts = [
		...(setting.required === true ? ["required"] : []),
		...(setting.repeatable === true ? ["may be repeated"] : []),
		...(setting.default === undefined || setting.default === ""
			? []
			: [`default ${setting.secret === true ? "secret" : setting.default}`]),
	];
	return parts.length === 0 ? "" : ` (${parts.join("; ")})`;
}
