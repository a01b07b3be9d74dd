import { createColors } from "picocolors";
import { checkManifests, printProblem } from "./check-manifests.ts";
import { defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { plain } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { findInputs } from "./read-inputs.ts";

/** `lateen validate`. */
export const validateCommand = defineCommand(
	{
		name: "validate",
		summary: "Check files without applying them",
		usage: "FILE|DIR|- ... [flags]",
		details: [
			"Checks every object as the server does, and reports all violations at once, each with file, line, column and field path. What only all files together show (a Service that does not exist, a rule that can never be reached) is a warning, because the rest may be elsewhere.",
			"The exit code is 0 when nothing is refused, 1 when something is, and 2 when a file is not there.",
		],
		options: {
			output: outputOption,
			strict: {
				type: "boolean",
				help: "Let warnings count as violations",
			},
		},
		examples: [
			["A folder", "lateen validate samples/bookinfo"],
			["What a template makes", "helm template . | lateen validate -"],
			[
				"In a pipeline, for machines",
				"lateen validate -o json mesh/ | jq '.problems[]'",
			],
		],
	},
	async ({ values, positionals, terminal, usageError }) => {
		if (positionals.length === 0)
			return usageError("Name files or folders, or - for what is piped in.");
		const found = await findInputs(positionals, terminal);
		if (!found.ok) return usageError(...found.problems);
		const { objects, problems } = await checkManifests(found.inputs);
		const errors = problems.filter(({ severity }) => severity === "error");
		const warnings = problems.length - errors.length;
		const valid = errors.length === 0 && (!values.strict || warnings === 0);
		if (values.output !== "table") {
			terminal.out(
				await printValue({ valid, objects, problems }, values.output),
			);
		} else {
			const { red, yellow } = createColors(terminal.outColours);
			for (const problem of problems) {
				const paint = problem.severity === "error" ? red : yellow;
				terminal.out(`${paint(plain(printProblem(problem)))}\n`);
			}
			const refused = new Set(errors.flatMap(({ object }) => object ?? []))
				.size;
			const summary = `${count(objects, "object")} valid, ${refused} refused; ${count(errors.length, "violation")}, ${count(warnings, "warning")}.`;
			terminal.err(`${summary}\n`);
		}
		return valid ? exitCode.ok : exitCode.negative;
	},
);

function count(number: number, what: string): string {
	return `${number} ${what}${number === 1 ? "" : "s"}`;
}
