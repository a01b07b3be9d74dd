import { programVersion } from "../settings/program-version.ts";
import { defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { outputOption, printValue } from "./print-value.ts";

/** `lateen version`. */
export const versionCommand = defineCommand(
	{
		name: "version",
		summary: "Print the version",
		usage: "[flags]",
		details: [],
		options: { output: outputOption },
		examples: [
			["For people", "lateen version"],
			["For scripts", "lateen version -o json"],
		],
	},
	async ({ values, positionals, terminal, usageError }) => {
		if (positionals.length > 0)
			return usageError("It takes no arguments, only flags.");
		terminal.out(
			values.output === "table"
				? `lateen ${programVersion} (Node.js ${process.versions.node})\n`
				: await printValue(
						{ version: programVersion, node: process.versions.node },
						values.output,
					),
		);
		return exitCode.ok;
	},
);
