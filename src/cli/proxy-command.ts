import { nearestName } from "../lib/nearest-name.ts";
import { clientSchema } from "../settings/schema.ts";
import { defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { fieldOf, listOf, textOf } from "./json-fields.ts";
import { namespaceOption } from "./namespace-option.ts";
import { qualifiedName } from "./offline-proxy.ts";
import { printTable } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { proxyDiff } from "./proxy-diff.ts";
import { ServerError } from "./server-client.ts";
import type { Terminal } from "./terminal.ts";
import { withControlPlane } from "./with-control-plane.ts";

const types = [
	"listeners",
	"routes",
	"virtualhosts",
	"clusters",
	"endpoints",
	"diff",
] as const;

/** `lateen proxy`. */
export const proxyCommand = defineCommand(
	{
		name: "proxy",
		summary: "Show what one proxy was sent and has acknowledged",
		usage: `NAME [${types.join("|")}] [flags]`,
		details: [
			"NAME is the workload (`default/reviews-v1`; `default` may be left out), the gateway, or the id that `lateen proxies -o json` shows. With a type, each resource stands with the version that was sent last and the one that the proxy has acknowledged; `-o json` adds the resource as Envoy prints it.",
			"With `diff`, it shows what the proxy has not acknowledged: a unified diff of each resource between what it has and what it is to have, with the objects behind it and, if it refused, its reason.",
			"The exit code is 1 when no such proxy is connected, and with `diff` when something is not acknowledged.",
		],
		options: { output: outputOption, ...namespaceOption, ...clientSchema },
		examples: [
			["Counts by type", "lateen proxy default/reviews-v1"],
			["Versions of its clusters", "lateen proxy default/reviews-v1 clusters"],
			[
				"The virtual hosts as Envoy has them",
				"lateen proxy default/reviews-v1 virtualhosts -o yaml",
			],
			["What is it waiting for?", "lateen proxy default/reviews-v1 diff"],
		],
	},
	async (call) => {
		const { values, positionals, terminal, usageError } = call;
		const [name, type, ...more] = positionals;
		if (name === undefined)
			return usageError("Name a proxy. `lateen proxies` lists them.");
		if (more.length > 0)
			return usageError(`What is ${JSON.stringify(more[0])}?`);
		if (type !== undefined && !types.some((one) => one === type)) {
			const near = nearestName(type, types);
			return usageError(
				`${JSON.stringify(type)} is no type of resource; there are ${types.join(", ")}.${near === undefined ? "" : ` Did you mean ${near}?`}`,
			);
		}
		return withControlPlane(call, async (plane) => {
			const full = qualifiedName(name, plane.namespace);
			let answer: unknown;
			try {
				if (type === "diff")
					return await proxyDiff(plane, full, values.output, terminal);
				answer = await plane.proxy(full, type);
			} catch (error) {
				if (!(error instanceof ServerError) || error.code !== "CLI_NOT_FOUND")
					throw error;
				terminal.err(
					`lateen proxy: ${error.message.replace("GET /v1/proxies lists", "`lateen proxies` lists")}\n`,
				);
				return exitCode.negative;
			}
			if (values.output !== "table")
				terminal.out(await printValue(answer, values.output));
			else if (type === undefined) printCounts(answer, terminal);
			else printResources(answer, type, terminal);
			return exitCode.ok;
		});
	},
);

function printCounts(answer: unknown, terminal: Terminal): void {
	const counts = Object.entries(fieldOf(answer, "resources") ?? {});
	terminal.out(
		`${textOf(answer, "workload")}: ${textOf(answer, "kind")} (${textOf(answer, "attachment")}), connected from ${textOf(answer, "address")} since ${textOf(answer, "connectedAt")}\n\n`,
	);
	terminal.out(
		printTable(
			["TYPE", "SENT", "ACKNOWLEDGED", "REJECTED"],
			counts.map(([type, count]) => [
				type,
				textOf(count, "sent"),
				textOf(count, "acknowledged"),
				textOf(count, "rejected"),
			]),
			{ colours: terminal.outColours },
		),
	);
}

function printResources(
	answer: unknown,
	type: string,
	terminal: Terminal,
): void {
	const resources = listOf(answer, "resources");
	if (resources.length === 0) {
		terminal.err(`The proxy was sent no ${type}.\n`);
		return;
	}
	terminal.out(
		printTable(
			["NAME", "SENT", "ACKNOWLEDGED", "STATE"],
			resources.map((one) => [
				textOf(one, "name"),
				textOf(one, "sent"),
				textOf(one, "acknowledged"),
				stateOf(one),
			]),
			{ colours: terminal.outColours },
		),
	);
}

function stateOf(resource: unknown): string {
	const rejected = textOf(resource, "rejected");
	if (rejected !== "") return `rejected: ${rejected}`;
	const sent = textOf(resource, "sent");
	const acknowledged = textOf(resource, "acknowledged");
	return sent === "" || sent === acknowledged ? "up to date" : "waiting";
}
