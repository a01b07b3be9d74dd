import { flagName } from "../settings/setting.ts";
import { type Command, defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import type { ListedCommand } from "./listed-command.ts";
import { printCompletion, type Shell } from "./print-completion.ts";
import { resourceWords } from "./resource-words.ts";
import { statusKinds } from "./status-kinds.ts";

const shells: readonly Shell[] = ["bash", "zsh", "fish"];

/** `lateen completion`. */
export function completionCommand(commands: readonly ListedCommand[]): Command {
	return defineCommand(
		{
			name: "completion",
			summary: "Print a completion script for a shell",
			usage: shells.join("|"),
			details: [
				"The script completes commands, flags and the values of flags that have a fixed list; file names where files are meant.",
			],
			options: {},
			examples: [
				["In this bash", "source <(lateen completion bash)"],
				["In every zsh", "lateen completion zsh > ~/.zfunc/_lateen"],
				[
					"In every fish",
					"lateen completion fish > ~/.config/fish/completions/lateen.fish",
				],
			],
		},
		async ({ positionals, terminal, usageError }) => {
			const shell = shells.find((one) => one === positionals[0]);
			if (shell === undefined || positionals.length > 1)
				return usageError(`Name one shell: ${shells.join(", ")}.`);
			const described = await Promise.all(
				commands.map(async (listed) => {
					const { options } = await listed.load();
					return {
						name: listed.name,
						summary: listed.summary,
						words: wordsOf(listed.name, commands),
						flags: Object.entries(options).map(([name, setting]) => ({
							name: flagName(name),
							help: setting.help,
							takesValue: setting.type !== "boolean",
							values: setting.values ?? [],
						})),
					};
				}),
			);
			terminal.out(printCompletion(shell, described));
			return exitCode.ok;
		},
	);
}

/** Fixed words that may follow the command. */
function wordsOf(
	name: string,
	commands: readonly ListedCommand[],
): readonly string[] {
	if (name === "help") return commands.map((one) => one.name);
	if (name === "completion") return shells;
	if (name === "get")
		return [...statusKinds.map(({ plural }) => plural), "all", "events"];
	if (name === "wait")
		return statusKinds.map(({ names }) => `${names[1] ?? ""}/`);
	if (name === "proxy")
		return [...resourceWords.map(({ word }) => word), "diff"];
	return [];
}
