import { parseFlags } from "../settings/parse-flags.ts";
import {
	type Environment,
	readSettings,
	type SettingOrigin,
} from "../settings/read-settings.ts";
import { clientSchema } from "../settings/schema.ts";
import {
	environmentName,
	type Schema,
	type Values,
} from "../settings/setting.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** What a command is made of, besides what it does. */
export interface CommandDescription {
	/** As typed after `lateen`. */
	readonly name: string;
	/** One clause for the list of commands. */
	readonly summary: string;
	/** What follows the name: `[flags] FILE|DIR|- …`. */
	readonly usage: string;
	/** Paragraphs below the summary: what it does, what the exit codes mean. */
	readonly details: readonly string[];
	/** Command lines that work, each with what it is for. */
	readonly examples: readonly (readonly [what: string, line: string])[];
	readonly options: Schema;
}

/** A command that can be run with the words that follow its name. */
export interface Command extends CommandDescription {
	run(words: readonly string[], terminal: Terminal): Promise<ExitCode>;
}

/** What a command gets to see once its command line is understood. */
export interface Call<S extends Schema> {
	readonly values: Values<S>;
	/** Where each value that there is comes from. */
	readonly origins: ReadonlyMap<string, SettingOrigin>;
	readonly positionals: readonly string[];
	readonly terminal: Terminal;
	/** Says what is wrong with the command line, where help is found, and answers with the exit code for it. */
	usageError(...problems: readonly string[]): ExitCode;
}

/** Makes a command whose options are read, checked and typed by their schema. */
export function defineCommand<S extends Schema>(
	description: CommandDescription & { readonly options: S },
	run: (call: Call<S>) => Promise<ExitCode>,
): Command {
	return {
		...description,
		run: async (words, terminal) => {
			const usageError = (...problems: readonly string[]): ExitCode =>
				reportUsage(terminal, description.name, problems);
			const { flags, positionals, problems } = parseFlags(
				description.options,
				words,
			);
			const read = readSettings(description.options, {
				flags,
				environment: clientEnvironment(terminal.environment),
			});
			if (problems.length > 0) return usageError(...problems);
			if (!read.ok) return usageError(...read.problems);
			const origins = new Map(
				read.effective.map(({ name, origin }) => [name, origin]),
			);
			const { settings: values } = read;
			return run({ values, origins, positionals, terminal, usageError });
		},
	};
}

/** Says what is wrong with a command line and where help is found. */
export function reportUsage(
	terminal: Terminal,
	name: string,
	problems: readonly string[],
): ExitCode {
	const command = name === "" ? "lateen" : `lateen ${name}`;
	for (const problem of problems) terminal.err(`${command}: ${problem}\n`);
	terminal.err(
		`Run \`lateen help${name === "" ? "" : ` ${name}`}\` to see how it is used.\n`,
	);
	return exitCode.usage;
}

/** Options of a single call come from flags alone; variables may say only which server is meant. */
function clientEnvironment(environment: Environment): Environment {
	const allowed = new Set([
		"HOME",
		"XDG_STATE_HOME",
		...Object.keys(clientSchema).map(environmentName),
	]);
	return Object.fromEntries(
		Object.entries(environment).filter(([name]) => allowed.has(name)),
	);
}
