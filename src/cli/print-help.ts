import { createColors } from "picocolors";
import { describeFlags } from "../settings/describe-setting.ts";
import type { CommandDescription } from "./command.ts";
import { asPlugin } from "./program-name.ts";

/** A command as the list of commands shows it. */
export interface CommandSummary {
	readonly name: string;
	readonly summary: string;
}

/** How help is printed. */
export interface HelpLooks {
	readonly outColours: boolean;
	/** For people who call it by kubectl. */
	readonly isPlugin: boolean;
}

/** Help for the whole program. */
export function printProgramHelp(
	commands: readonly CommandSummary[],
	looks: HelpLooks,
): string {
	const { bold } = createColors(looks.outColours);
	const text = [
		"Lateen is a service-mesh control plane: it turns RouteRule, Service and other objects into live Envoy configuration.",
		"",
		`${bold("Usage:")} lateen COMMAND [flags]`,
		"",
		bold("Commands:"),
		...alignPairs(commands.map(({ name, summary }) => [name, summary])),
		"",
		bold("Examples:"),
		...printExamples([
			[
				"Serve the objects of a folder",
				"lateen serve --source=directory:samples/bookinfo",
			],
			[
				"Check files before they are applied",
				"lateen validate samples/bookinfo",
			],
			["Is a rule live everywhere, and if not, why", "lateen get rr reviews"],
			["See who is connected and up to date", "lateen proxies"],
		]),
		"",
		"Exit codes: 0 yes, 1 no (violations, no such proxy), 2 the command line is wrong, 3 it could not be done, 4 it is refused and waiting is of no use.",
		"`lateen help COMMAND` says more about one command.",
		"",
	].join("\n");
	return looks.isPlugin ? asPlugin(text) : text;
}

/** Help for one command: usage, what it does, flags, examples. */
export function printCommandHelp(
	command: CommandDescription,
	looks: HelpLooks,
): string {
	const { bold } = createColors(looks.outColours);
	const flags = describeFlags(command.options);
	const text = [
		`${command.summary}.`,
		"",
		`${bold("Usage:")} lateen ${command.name} ${command.usage}`.trimEnd(),
		"",
		...command.details.flatMap((paragraph) => [paragraph, ""]),
		...(flags.length === 0 ? [] : [bold("Flags:"), ...alignPairs(flags), ""]),
		bold("Examples:"),
		...printExamples(command.examples),
		"",
	].join("\n");
	return looks.isPlugin ? asPlugin(text) : text;
}

function printExamples(
	examples: readonly (readonly [string, string])[],
): readonly string[] {
	return examples.flatMap(([what, line]) => [`  # ${what}`, `  ${line}`]);
}

function alignPairs(
	pairs: readonly (readonly [string, string])[],
): readonly string[] {
	const width = Math.max(...pairs.map(([left]) => left.length));
	return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
