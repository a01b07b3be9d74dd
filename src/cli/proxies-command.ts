import { clientSchema } from "../settings/schema.ts";
import { type Call, defineCommand } from "./command.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { fieldOf, textOf } from "./json-fields.ts";
import { namespacesOption } from "./namespace-option.ts";
import { printTable } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { withControlPlane } from "./with-control-plane.ts";

const options = {
	output: outputOption,
	...namespacesOption,
	...clientSchema,
} as const;

type ProxiesCall = Call<typeof options>;

/** `lateen proxies`. */
export const proxiesCommand = defineCommand(
	{
		name: "proxies",
		summary: "List connected proxies and whether they are up to date",
		usage: "[flags]",
		details: [
			"A proxy is up to date when it has acknowledged everything it was sent. The exit code is 0 even when none is connected.",
			"In a Kubernetes cluster the replicas are asked one by one, through the API server; REPLICA says which one a proxy is connected to. Without -n, a cluster shows the proxies of the context's namespace, and a server that is asked directly shows all.",
		],
		options,
		examples: [
			["Who is connected", "lateen proxies"],
			[
				"Names of those that lag behind",
				"lateen proxies -o json | jq -r '.proxies[] | select(.upToDate | not) | .workload'",
			],
		],
	},
	async (call) => {
		const { positionals, usageError } = call;
		return positionals.length > 0
			? usageError(
					`It takes no arguments. To see one proxy: lateen proxy ${positionals.join(" ")}`,
				)
			: withControlPlane(call, (plane) => list(plane, call));
	},
);

async function list(
	plane: ControlPlane,
	{ values, terminal }: ProxiesCall,
): Promise<ExitCode> {
	const only =
		values.allNamespaces ||
		(plane.mode === "direct" && values.namespace === undefined)
			? undefined
			: plane.namespace;
	const all = await plane.proxies();
	const proxies = all.filter(
		(one) =>
			only === undefined || textOf(one, "workload").startsWith(`${only}/`),
	);
	if (values.output !== "table") {
		terminal.out(await printValue({ proxies }, values.output));
		return exitCode.ok;
	}
	if (proxies.length === 0) {
		terminal.err(
			all.length === 0
				? "No proxy is connected. `lateen bootstrap` makes the files that an Envoy starts with.\n"
				: `No proxy of the namespace ${only} is connected. -n names another one, and -A shows all.\n`,
		);
		return exitCode.ok;
	}
	const inCluster = plane.mode === "cluster";
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
				...(inCluster ? ["REPLICA"] : []),
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
					...(inCluster ? [textOf(proxy, "replica")] : []),
				];
			}),
			{ colours: terminal.outColours },
		),
	);
	return exitCode.ok;
}
