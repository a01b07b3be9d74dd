import { nearestName } from "../lib/nearest-name.ts";
import { logLevels, logParts } from "../observability/logger.ts";
import { clientSchema } from "../settings/schema.ts";
import { type Call, defineCommand } from "./command.ts";
import type {
	ControlPlane,
	LogLevelChange,
	ServerLogLevels,
} from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { fieldOf, textOf } from "./json-fields.ts";
import { printTable } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { withControlPlane } from "./with-control-plane.ts";

const options = { output: outputOption, ...clientSchema } as const;

type LogLevelCall = Call<typeof options>;

/** What takes a level of its own away again. */
const asOthers = "default";

/** `lateen log-level`. */
export const logLevelCommand = defineCommand(
	{
		name: "log-level",
		summary: "Show or change how much a running server logs",
		usage: "[flags] [LEVEL] [PART=LEVEL|PART=default …]",
		details: [
			`LEVEL is ${logLevels.slice(0, -1).join(", ")} or ${logLevels.at(-1)}. PART is a part of the server, as it stands in the field \`part\` of its lines: ${logParts.join(", ")}.`,
			"Without arguments it only shows. A LEVEL alone is for everything that has none of its own; PART=default takes a part's own one away.",
			"A change holds until the server ends; --log-level is what it starts with. In a Kubernetes cluster all replicas are asked, through the API server, and changing takes the Role lateen-operator; a replica that starts later begins anew.",
		],
		options,
		examples: [
			["What is logged now", "lateen log-level"],
			["Follow what proxies are sent", "lateen log-level xds=debug"],
			[
				"Everything, but not every status",
				"lateen log-level debug status=info",
			],
			["As before", "lateen log-level info status=default"],
		],
	},
	async (call) => {
		const change = parseChange(call.positionals);
		return typeof change === "string"
			? call.usageError(change)
			: withControlPlane(
					{ ...call, values: { ...call.values, namespace: undefined } },
					(plane) => show(plane, change, call),
				);
	},
);

/** What the words ask for, undefined for nothing, or a sentence about why it cannot be. */
function parseChange(
	words: readonly string[],
): LogLevelChange | string | undefined {
	let all: string | undefined;
	const parts: Record<string, string | null> = {};
	for (const word of words) {
		const at = word.indexOf("=");
		const level = word.slice(at + 1);
		if (at >= 0 && level === asOthers) {
			parts[word.slice(0, at)] = null;
			continue;
		}
		if (!logLevels.some((one) => one === level))
			return `${level} is no level. ${hint(level, logLevels)}`;
		if (at >= 0) parts[word.slice(0, at)] = level;
		else if (all === undefined) all = level;
		else return `There are two levels for everything: ${all} and ${level}.`;
	}
	const strange = Object.keys(parts).find(
		(name) => !logParts.some((part) => part === name),
	);
	if (strange !== undefined)
		return `${strange} is no part of the server. ${hint(strange, logParts)}`;
	if (words.length === 0) return undefined;
	return { parts, ...(all !== undefined && { default: all }) };
}

function hint(word: string, known: readonly string[]): string {
	const near = nearestName(word, known);
	return near === undefined
		? `There are: ${known.join(", ")}.`
		: `Did you mean ${near}?`;
}

async function show(
	plane: ControlPlane,
	change: LogLevelChange | undefined,
	{ values, terminal }: LogLevelCall,
): Promise<ExitCode> {
	const servers = await plane.logLevels(change);
	if (values.output !== "table") {
		terminal.out(await printValue({ servers }, values.output));
		return exitCode.ok;
	}
	terminal.out(
		printTable(
			[
				"PART",
				...servers.map(({ replica }) => (replica === "" ? "LEVEL" : replica)),
			],
			[
				["default", ...servers.map(({ levels }) => textOf(levels, "default"))],
				...partsOf(servers).map((part) => [
					part,
					...servers.map(({ levels }) => levelOf(levels, part)),
				]),
			],
			{ colours: terminal.outColours },
		),
	);
	return exitCode.ok;
}

/** Replicas of two versions may know different parts. */
function partsOf(servers: readonly ServerLogLevels[]): readonly string[] {
	const names = servers.flatMap(({ levels }) =>
		Object.keys(fieldOf(levels, "parts") ?? {}),
	);
	return [...new Set(names)].sort();
}

function levelOf(levels: unknown, part: string): string {
	const own = textOf(fieldOf(levels, "parts"), part);
	return own === "" ? `${textOf(levels, "default")} (default)` : own;
}
