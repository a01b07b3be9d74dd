import { parseArgs } from "node:util";
import { nearestName } from "../lib/nearest-name.ts";
import { flagName, type Schema } from "./setting.ts";

/** What a command line says, before its values are read. */
export interface ParsedFlags {
	/** By name of the setting; a flag that is given several times has several values. */
	readonly flags: ReadonlyMap<string, readonly string[]>;
	readonly positionals: readonly string[];
	/** Full sentences about what cannot be understood; empty when all is well. */
	readonly problems: readonly string[];
}

/** Splits the words of a command line into flags that the schema knows and the rest. */
export function parseFlags(
	schema: Schema,
	words: readonly string[],
): ParsedFlags {
	const nameOfFlag = new Map(
		Object.keys(schema).map((name) => [flagName(name), name]),
	);
	const { tokens } = parseArgs({
		args: [...words],
		options: Object.fromEntries(
			Object.entries(schema).map(([name, setting]) => [
				flagName(name),
				{
					type: setting.type === "boolean" ? "boolean" : "string",
					...(setting.short === undefined ? {} : { short: setting.short }),
				},
			]),
		),
		strict: false,
		tokens: true,
	});
	const flags = new Map<string, string[]>();
	const positionals: string[] = [];
	const problems: string[] = [];
	for (const token of tokens) {
		if (token.kind === "positional") positionals.push(token.value);
		if (token.kind !== "option") continue;
		const name = nameOfFlag.get(token.name);
		const setting = name === undefined ? undefined : schema[name];
		if (name === undefined || setting === undefined) {
			problems.push(unknownFlag(token.rawName, nameOfFlag.keys()));
			continue;
		}
		const value =
			token.value ?? (setting.type === "boolean" ? "true" : undefined);
		if (value === undefined) {
			problems.push(`--${token.name} needs a value.`);
			continue;
		}
		const given = flags.get(name) ?? [];
		given.push(value);
		flags.set(name, given);
		if (given.length === 2 && setting.repeatable !== true)
			problems.push(`--${token.name} is given more than once.`);
	}
	return { flags, positionals, problems };
}

function unknownFlag(typed: string, known: Iterable<string>): string {
	const near = nearestName(typed.replace(/^-+/, ""), known);
	return near === undefined
		? `There is no flag ${typed}.`
		: `There is no flag ${typed}. Did you mean --${near}?`;
}
