import { readFile } from "node:fs/promises";
import { parse, YAMLParseError } from "yaml";
import { parseFlags } from "../settings/parse-flags.ts";
import {
	type EffectiveSetting,
	type Environment,
	readSettings,
	type SettingSources,
	unknownEnvironment,
} from "../settings/read-settings.ts";
import {
	clientSchema,
	namesOfScripts,
	serveSchema,
} from "../settings/schema.ts";
import { environmentName, type Values } from "../settings/setting.ts";
import { type Command, reportUsage } from "./command.ts";
import type { ExitCode } from "./exit-code.ts";
import { exitCode } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** The values of all settings of the server. */
export type ServeSettings = Values<typeof serveSchema>;

/** Runs the server until it is told to stop. */
export type StartServer = (
	settings: ServeSettings,
	effective: readonly EffectiveSetting[],
) => Promise<void>;

/** `lateen serve`. */
export function serveCommand(serve: StartServer): Command {
	return {
		name: "serve",
		summary: "Run the control plane",
		usage: "--source=kubernetes|directory:PATH [flags]",
		details: [
			"Watches the objects of the source, and keeps every connected proxy up to date with them. It ends on Ctrl-C or SIGTERM; proxies keep what they have.",
			"Every flag can also be a variable (LATEEN_XDS_LISTEN) or a line of the file that --config names (xdsListen: …); docs/settings.md lists them with the reasons of their defaults.",
		],
		options: serveSchema,
		examples: [
			[
				"Serve a folder of YAML files",
				"lateen serve --source=directory:samples/bookinfo",
			],
			[
				"Serve what an API server has, with the current context of kubectl",
				"lateen serve --source=kubernetes",
			],
			[
				"Take any free port, and keep state elsewhere",
				"lateen serve --source=directory:mesh --xds-listen 127.0.0.1:0 --state-dir /tmp/lateen",
			],
			[
				"Make the admin API reachable for a scraper on this machine",
				"lateen serve --source=directory:mesh --admin-listen 127.0.0.1:15014",
			],
		],
		run: (words, terminal) => runServe(words, terminal, serve),
	};
}

async function runServe(
	words: readonly string[],
	terminal: Terminal,
	serve: StartServer,
): Promise<ExitCode> {
	const { flags, positionals, problems } = parseFlags(serveSchema, words);
	const { environment } = terminal;
	const found = [
		...problems,
		...(positionals.length === 0 || problems.length > 0
			? []
			: [
					`It takes no arguments, only flags; what is ${JSON.stringify(positionals[0])}?`,
				]),
		...unknownEnvironment(
			[
				...Object.keys(serveSchema),
				...Object.keys(clientSchema),
				...namesOfScripts,
			],
			environment,
		),
	];
	const file = await readFileOfSettings(flags, environment);
	if (typeof file === "string")
		return reportUsage(terminal, "serve", [...found, file]);
	const read = readSettings(serveSchema, { flags, environment, ...file });
	if (!read.ok)
		return reportUsage(terminal, "serve", [...found, ...read.problems]);
	if (found.length > 0) return reportUsage(terminal, "serve", found);
	await serve(read.settings, read.effective);
	return exitCode.ok;
}

/** The settings file, nothing when none is named, or a sentence about why it cannot be used. */
async function readFileOfSettings(
	flags: SettingSources["flags"],
	environment: Environment,
): Promise<Pick<SettingSources, "file"> | string> {
	const path =
		flags.get("config")?.at(-1) ?? environment[environmentName("config")];
	if (path === undefined) return {};
	try {
		const content: unknown = parse(await readFile(path, "utf8"));
		return { file: { path, content } };
	} catch (error) {
		const why =
			error instanceof YAMLParseError
				? `is not YAML: ${error.message.split("\n")[0] ?? ""}`
				: `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
		return `The settings file ${path} ${why}.`;
	}
}
