import type { ControlPlane } from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { textOf } from "./json-fields.ts";
import { printTable } from "./print-table.ts";
import { printValue } from "./print-value.ts";
import { printAge } from "./status-rows.ts";
import type { Terminal } from "./terminal.ts";

/** What `lateen get events` is told. */
export interface EventsCall {
	readonly values: {
		readonly allNamespaces: boolean;
		readonly output: "table" | "wide" | "json" | "yaml";
	};
	readonly terminal: Terminal;
}

/** `lateen get events`. */
export async function printEvents(
	plane: ControlPlane,
	{ values, terminal }: EventsCall,
): Promise<ExitCode> {
	const { mode, namespace } = plane;
	const events = await plane.events(
		values.allNamespaces ? undefined : namespace,
	);
	if (values.output === "json" || values.output === "yaml") {
		terminal.out(await printValue({ events }, values.output));
		return exitCode.ok;
	}
	if (events.length === 0) {
		const where = values.allNamespaces
			? "any object"
			: `objects of the namespace ${namespace}`;
		const since =
			mode === "direct"
				? "since the server started"
				: "lately; the API server keeps events for an hour, if it was not told otherwise";
		terminal.err(
			`Nothing has happened to ${where} ${since}.${values.allNamespaces ? "" : " -A looks in all namespaces."}\n`,
		);
		return exitCode.ok;
	}
	terminal.out(
		printTable(
			["LAST SEEN", "TYPE", "REASON", "OBJECT", "COUNT", "MESSAGE"],
			events.map((one) => [
				printAge(textOf(one, "lastTime"), Date.now()),
				textOf(one, "type"),
				textOf(one, "reason"),
				[textOf(one, "kind"), textOf(one, "namespace"), textOf(one, "name")]
					.filter((part) => part !== "")
					.join("/"),
				textOf(one, "count"),
				textOf(one, "message"),
			]),
			{ colours: terminal.outColours },
		),
	);
	return exitCode.ok;
}
