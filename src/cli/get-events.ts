import { type ExitCode, exitCode } from "./exit-code.ts";
import { listOf, textOf } from "./json-fields.ts";
import { printTable } from "./print-table.ts";
import { printValue } from "./print-value.ts";
import { askServer, type WhichServer } from "./server-client.ts";
import { printAge } from "./status-rows.ts";
import type { Terminal } from "./terminal.ts";

/** What `lateen get events` is told. */
export interface EventsCall {
	readonly values: WhichServer & {
		readonly namespace: string;
		readonly allNamespaces: boolean;
		readonly output: "table" | "wide" | "json" | "yaml";
	};
	readonly terminal: Terminal;
}

/** `lateen get events`. */
export async function printEvents(call: EventsCall): Promise<ExitCode> {
	const { values, terminal } = call;
	const answer = await askServer(values, "/v1/events");
	const events = listOf(answer, "events").filter(
		(one) =>
			values.allNamespaces ||
			["", values.namespace].includes(textOf(one, "namespace")),
	);
	if (values.output === "json" || values.output === "yaml") {
		terminal.out(await printValue({ events }, values.output));
		return exitCode.ok;
	}
	if (events.length === 0) {
		terminal.err(
			values.allNamespaces
				? "Nothing has happened to any object since the server started.\n"
				: `Nothing has happened to objects of the namespace ${values.namespace} since the server started. -A looks in all.\n`,
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
