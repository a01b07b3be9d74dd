/** Shells that completion scripts are made for. */
export type Shell = "bash" | "zsh" | "fish";

/** What a shell completes of one command. */
export interface CompletedCommand {
	readonly name: string;
	readonly summary: string;
	/** Fixed words that may follow. */
	readonly words: readonly string[];
	readonly flags: readonly {
		/** Without its dashes. */
		readonly name: string;
		readonly help: string;
		readonly takesValue: boolean;
		/** The only values there are; empty when any value goes. */
		readonly values: readonly string[];
	}[];
}

/** The completion script of a shell. */
export function printCompletion(
	shell: Shell,
	commands: readonly CompletedCommand[],
): string {
	switch (shell) {
		case "bash":
			return printBash(commands);
		case "zsh":
			return printZsh(commands);
		case "fish":
			return printFish(commands);
	}
}

function printBash(commands: readonly CompletedCommand[]): string {
	const names = commands.map(({ name }) => name).join(" ");
	const cases = commands.map(({ name, words, flags }) => {
		const values = flags
			.filter((flag) => flag.values.length > 0)
			.map(
				(flag) =>
					`        --${flag.name}) COMPREPLY=($(compgen -W "${flag.values.join(" ")}" -- "$word")); return ;;`,
			);
		const all = [...words, ...flags.map((flag) => `--${flag.name}`), "--help"];
		return [
			`    ${name})`,
			...(values.length === 0
				? []
				: ['      case "$before" in', ...values, "      esac"]),
			`      words="${all.join(" ")}" ;;`,
		].join("\n");
	});
	return `# bash completion of lateen; use it with: source <(lateen completion bash)
_lateen() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names}" -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word") $(compgen -f -- "$word"))
}
complete -o filenames -F _lateen lateen
`;
}

function printZsh(commands: readonly CompletedCommand[]): string {
	const names = commands.map(
		({ name, summary }) => `    ${quote(`${name}:${summary}`)}`,
	);
	const cases = commands.map(({ name, words, flags }) => {
		const specs = flags.map((flag) => {
			const value = !flag.takesValue
				? ""
				: flag.values.length > 0
					? `:value:(${flag.values.join(" ")})`
					: ":value:_files";
			const help = flag.help.replaceAll(/[[\]:]/g, " ");
			return quote(`--${flag.name}[${help}]${value}`);
		});
		const rest =
			words.length > 0
				? quote(`*:word:(${words.join(" ")})`)
				: quote("*:file:_files");
		return `    ${name}) _arguments ${[...specs, rest].join(" ")} ;;`;
	});
	return `#compdef lateen
_lateen() {
  local -a commands=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words; (( CURRENT-- ))
  case $command in
${cases.join("\n")}
  esac
}
if [ "$funcstack[1]" = _lateen ]; then _lateen "$@"; else compdef _lateen lateen; fi
`;
}

function printFish(commands: readonly CompletedCommand[]): string {
	const lines = commands.flatMap(({ name, summary, words, flags }) => {
		const inCommand = `-n ${quote(`__fish_seen_subcommand_from ${name}`)}`;
		return [
			`complete -c lateen -f -n __fish_use_subcommand -a ${name} -d ${quote(summary)}`,
			...(words.length === 0
				? []
				: [`complete -c lateen -f ${inCommand} -a ${quote(words.join(" "))}`]),
			...flags.map((flag) => {
				const value = !flag.takesValue
					? ""
					: flag.values.length > 0
						? ` -x -a ${quote(flag.values.join(" "))}`
						: " -r";
				return `complete -c lateen ${inCommand} -l ${flag.name} -d ${quote(flag.help)}${value}`;
			}),
		];
	});
	return `# fish completion of lateen\n${lines.join("\n")}\n`;
}

function quote(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}
