import { CodedError } from "../lib/coded-error.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { reportUsage } from "./command.ts";
import { type CommandParts, listCommands } from "./command-list.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { printCommandHelp, printProgramHelp } from "./print-help.ts";
import type { Terminal } from "./terminal.ts";

/**
 * Runs the command that the words name and answers with its exit code.
 *
 * Guarantees: an error that is thrown on purpose becomes one sentence and the
 *   exit code `failed`; only mistakes of ours show a stack.
 */
export async function runCli(
	words: readonly string[],
	terminal: Terminal,
	parts: CommandParts,
): Promise<ExitCode> {
	const commands = listCommands(parts);
	const [first, ...rest] = words;
	if (first === undefined) {
		terminal.err(
			printProgramHelp(commands, {
				...terminal,
				outColours: terminal.errColours,
			}),
		);
		return exitCode.usage;
	}
	if (first === "--help" || first === "-h") {
		terminal.out(printProgramHelp(commands, terminal));
		return exitCode.ok;
	}
	const name = first === "--version" || first === "-v" ? "version" : first;
	const listed = commands.find((one) => one.name === name);
	if (listed === undefined) {
		const near = nearestName(
			first,
			commands.map((one) => one.name),
		);
		const hint = near === undefined ? "" : ` Did you mean \`lateen ${near}\`?`;
		return reportUsage(terminal, "", [
			`There is no command ${JSON.stringify(first)}.${hint}`,
		]);
	}
	try {
		const command = await listed.load();
		if (asksForHelp(rest)) {
			terminal.out(printCommandHelp(command, terminal));
			return exitCode.ok;
		}
		return await command.run(rest, terminal);
	} catch (error) {
		return reportError(error, name, terminal);
	}
}

function asksForHelp(words: readonly string[]): boolean {
	const end = words.indexOf("--");
	const flags = end < 0 ? words : words.slice(0, end);
	return flags.includes("--help") || flags.includes("-h");
}

function reportError(
	error: unknown,
	name: string,
	terminal: Terminal,
): ExitCode {
	if (error instanceof CodedError) {
		terminal.err(`lateen ${name}: ${error.message} (${error.code})\n`);
		return exitCode.failed;
	}
	const text = error instanceof Error ? (error.stack ?? error.message) : error;
	terminal.err(
		`lateen ${name}: This is a mistake in lateen; please report it with these lines.\n${String(text)}\n`,
	);
	return exitCode.mistake;
}
