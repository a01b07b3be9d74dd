import { valuePlaceholder } from "./describe-setting.ts";
import {
	environmentName,
	flagName,
	type Schema,
	type Setting,
} from "./setting.ts";

/** The page `docs/settings.md`, made from the schema. */
export function printSettingsPage(schema: Schema): string {
	return [
		"# Settings of `lateen serve`",
		"",
		"<!-- Generated from src/settings/schema.ts by hack/generate-docs.ts; edit there. -->",
		"",
		"Each setting can be given as a flag, as an environment variable or in a YAML file named by `--config`; the first of",
		"these that names it wins, and then comes the default. Names that nobody knows are errors. The settings in force are",
		"logged at the start, secrets replaced.",
		"",
		"| Setting (file) | Flag | Environment | Value | Default |",
		"|---|---|---|---|---|",
		...Object.entries(schema).map(
			([name, setting]) =>
				`| [${name}](#${name.toLowerCase()}) | \`--${flagName(name)}\` | \`${environmentName(name)}\` | ${cell(valuePlaceholder(setting))} | ${defaultCell(setting)} |`,
		),
		"",
		...Object.entries(schema).flatMap(([name, setting]) => [
			`## ${name}`,
			"",
			`${setting.help}.`,
			"",
			...(setting.reason === undefined
				? []
				: [`Why this default: ${setting.reason}`, ""]),
		]),
	].join("\n");
}

function defaultCell(setting: Setting): string {
	if (setting.secret === true) return "secret";
	if (setting.default !== undefined) return `\`${setting.default}\``;
	return setting.required === true ? "none; must be given" : "none";
}

function cell(text: string): string {
	return `\`${text.replaceAll("|", "\\|")}\``;
}
