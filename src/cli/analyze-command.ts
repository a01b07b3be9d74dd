import { createColors } from "picocolors";
import { statusReasons } from "../reconcilers/reasons.ts";
import {
	type Analysis,
	type AnalyzedProblem,
	analyze,
	type Effect,
} from "./analysis.ts";
import { checkManifests } from "./check-manifests.ts";
import { defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { plain } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { findInputs } from "./read-inputs.ts";

/** `lateen analyze`. */
export const analyzeCommand = defineCommand(
	{
		name: "analyze",
		summary: "Say what the objects of a folder mean together",
		usage: "[FILE|DIR|-] ... [flags]",
		details: [
			"Takes the files (the current folder when none is named) for everything there is, needs no server, and says for each object what becomes of it: refused, not in force, partly in force, or in force with something worth knowing. It finds rules and entries that can never be reached, names of what does not exist, labels that no endpoint has, services that nobody serves, hosts and addresses that two objects claim, weights of zero, and all that `lateen validate` finds.",
			"The exit code is 0 when everything is in force as it is written, 1 when something is not, and 2 when a file is not there. Notes alone do not count.",
		],
		options: { output: outputOption },
		examples: [
			["A folder", "lateen analyze samples/bookinfo"],
			[
				"Rules that can never be reached",
				`lateen analyze -o json | jq -r '.objects[] | select(.problems[].reason == "Shadowed") | .subject'`,
			],
		],
	},
	async ({ values, positionals, terminal, usageError }) => {
		const found = await findInputs(
			positionals.length === 0 ? ["."] : positionals,
			terminal,
		);
		if (!found.ok) return usageError(...found.problems);
		const analysis = analyze(await checkManifests(found.inputs));
		const sound = analysis.troubled.every(({ problems }) =>
			problems.every(({ severity }) => severity === "note"),
		);
		if (values.output === "table") {
			terminal.out(printAnalysis(analysis, terminal.outColours));
		} else {
			terminal.out(
				await printValue(
					{
						sound,
						count: analysis.objects,
						objects: analysis.troubled,
						reasons: Object.fromEntries(analysis.reasons),
					},
					values.output,
				),
			);
		}
		return sound ? exitCode.ok : exitCode.negative;
	},
);

function printAnalysis(analysis: Analysis, colours: boolean): string {
	const paint = createColors(colours);
	const paints: { readonly [E in Effect]: (text: string) => string } = {
		refused: paint.red,
		"not in force": paint.red,
		"partly in force": paint.yellow,
		"in force": paint.green,
	};
	const lines: string[] = [];
	for (const { subject, file, line, effect, problems } of analysis.troubled) {
		const place =
			file === undefined || file === subject ? "" : `  ${file}:${line ?? 1}`;
		lines.push(
			`${paint.bold(plain(subject))}${paint.dim(plain(place))}  ${paints[effect](effect)}`,
		);
		for (const problem of problems) {
			lines.push(`  ${plain(headingOf(problem))}`);
			lines.push(
				...wrap(plain(problem.message), 76).map((text) => `      ${text}`),
			);
		}
		lines.push("");
	}
	return `${[...lines, ...summaryOf(analysis)].join("\n")}\n`;
}

function headingOf(problem: AnalyzedProblem): string {
	const { severity, reason, path } = problem;
	// Of an object that is good, only its beginning is known.
	const at =
		severity === "error" && problem.line !== undefined && path !== ""
			? ` (line ${problem.line})`
			: "";
	return [severity, reason, ...(path === "" ? [] : [`${path}${at}`])].join(
		"  ",
	);
}

function summaryOf({
	objects,
	troubled,
	reasons,
}: Analysis): readonly string[] {
	const count = (effect: Effect) =>
		troubled.filter(
			(one) =>
				one.effect === effect &&
				one.problems.some(({ severity }) => severity !== "note"),
		).length;
	const refused = count("refused");
	const dead = count("not in force");
	const part = count("partly in force");
	const summary = `${objects} ${objects === 1 ? "object" : "objects"}: ${objects - dead - part} in force, ${part} partly in force, ${dead} not in force; ${refused} refused.`;
	const width = Math.max(...reasons.map(([reason]) => reason.length), 0);
	return [
		summary,
		...reasons.map(
			([reason, times]) =>
				`  ${String(times).padStart(3)}  ${reason.padEnd(width)}  ${meaningOf(reason)}`,
		),
	];
}

function meaningOf(reason: string): string {
	const known = Object.entries(statusReasons).find(([name]) => name === reason);
	const text = known?.[1].means ?? notes[reason] ?? "";
	return text.replace(/[.;:](?: .*)?$/s, ".");
}

const notes: Readonly<Record<string, string>> = {
	File: "Something is wrong with a file.",
	ShadowedEntry: "An entry of a rule can never be reached.",
	ZeroWeight: "Nothing goes to an entry of a route.",
	NoEndpoints: "Nobody serves a service.",
};

function wrap(text: string, width: number): readonly string[] {
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		if (line !== "" && line.length + 1 + word.length > width) {
			lines.push(line);
			line = word;
		} else line = line === "" ? word : `${line} ${word}`;
	}
	return [...lines, line];
}
