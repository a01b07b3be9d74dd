import { nearestName } from "../lib/nearest-name.ts";
import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import type { ListedCommand } from "./listed-command.ts";
import { printCommandHelp, printProgramHelp } from "./print-help.ts";

/** `lateen help`. */
export function helpCommand(commands: readonly ListedCommand[]): Command {
	return defineCommand(
		{
			name: "help",
			summary: "Explain the program or one command",
			usage: "[COMMAND]",
			details: [],
			options: {},
			examples: [
				["All commands", "lateen help"],
				["One command", "lateen help validate"],
			],
		},
		async ({ positionals, terminal, usageError }) => {
			const [name, ...more] = positionals;
			if (more.length > 0) return usageError("It takes one command at most.");
			if (name === undefined) {
				terminal.out(printProgramHelp(commands, terminal));
				return exitCode.ok;
			}
			const listed = commands.find((one) => one.name === name);
			if (listed === undefined) {
				const near = nearestName(
					name,
					commands.map((one) => one.name),
				);
				return usageError(
					`There is no command ${JSON.stringify(name)}.${near === undefined ? "" : ` Did you mean ${near}?`}`,
				);
			}
			terminal.out(printCommandHelp(await listed.load(), terminal));
			return exitCode.ok;
		},
	);
}
