import { clientSchema } from "../settings/schema.ts";
import { defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { fieldOf, listOf, textOf } from "./json-fields.ts";
import { printTable } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { askServer } from "./server-client.ts";

/** `lateen proxies`. */
export const proxiesCommand = defineCommand(
	{
		name: "proxies",
		summary: "List connected proxies and whether they are up to date",
		usage: "[flags]",
		details: [
			"A proxy is up to date when it has acknowledged everything it was sent. The exit code is 0 even when none is connected.",
		],
		options: { output: outputOption, ...clientSchema },
		examples: [
			["Who is connected", "lateen proxies"],
			[
				"Names of those that lag behind",
				"lateen proxies -o json | jq -r '.proxies[] | select(.upToDate | not) | .workload'",
			],
		],
	},
	async ({ values, positionals, terminal, usageError }) => {
		if (positionals.length > 0)
			return usageError(
				`It takes no arguments. To see one proxy: lateen proxy ${positionals.join(" ")}`,
			);
		const answer = await askServer(values, "/v1/proxies");
		if (values.output !== "table") {
			terminal.out(await printValue(answer, values.output));
			return exitCode.ok;
		}
		const proxies = listOf(answer, "proxies");
		if (proxies.length === 0) {
			terminal.err(
				"No proxy is connected. `lateen bootstrap` makes the files that an Envoy starts with.\n",
			);
			return exitCode.ok;
		}
		terminal.out(
			printTable(
				[
					"WORKLOAD",
					"KIND",
					"PROTOCOL",
					"SENT",
					"ACKNOWLEDGED",
					"REJECTED",
					"UP TO DATE",
					"CONNECTED",
					"FROM",
				],
				proxies.map((proxy) => {
					const counts = Object.values(fieldOf(proxy, "resources") ?? {});
					const sum = (name: string): string =>
						String(
							counts.reduce(
								(total: number, one) => total + Number(fieldOf(one, name) ?? 0),
								0,
							),
						);
					return [
						textOf(proxy, "workload"),
						`${textOf(proxy, "kind")} (${textOf(proxy, "attachment")})`,
						textOf(proxy, "variant"),
						sum("sent"),
						sum("acknowledged"),
						sum("rejected"),
						fieldOf(proxy, "upToDate") === true ? "yes" : "no",
						textOf(proxy, "connectedAt"),
						textOf(proxy, "address"),
					];
				}),
				{ colours: terminal.outColours },
			),
		);
		return exitCode.ok;
	},
);
