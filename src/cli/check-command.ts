import { defineCommand } from "./command.ts";
import { exitCode } from "./exit-code.ts";
import { checkAfter } from "./install/check-after.ts";
import { checkBefore } from "./install/check-before.ts";
import { clusterOptions } from "./install/cluster-options.ts";
import { installObjects } from "./install/install-objects.ts";
import { openApiServer } from "./install/open-api-server.ts";
import { printTable } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";

/** `lateen check`. */
export const checkCommand = defineCommand(
	{
		name: "check",
		summary: "Say whether an installation works, or what stands in its way",
		usage: "[--pre] [flags]",
		details: [
			"Looks at the CRDs, the Deployment, the leader, the webhooks (the API server trusts them, and they answer a dry run), the versions of all of it, and at the pods: which have no proxy although they or their namespace ask for one, which have one of another version, and whose proxy does not work.",
			"With --pre, before the installation: the version of the API server, what you may do, CRDs and installations that are there already, and namespaces whose Pod Security would refuse injected pods.",
			"Nothing is changed. Exit codes: 0 there is no problem, though there may be warnings; 1 there is one; 3 something could not be looked at, or no API server answers.",
		],
		options: {
			pre: {
				type: "boolean",
				help: "Look whether it can be installed",
			},
			output: outputOption,
			...clusterOptions,
		},
		examples: [
			["Before", "lateen check --pre"],
			["After, and after an upgrade", "lateen check"],
			[
				"What is wrong, for a script",
				`lateen check -o json | jq -r '.findings[] | select(.verdict != "ok") | .message'`,
			],
		],
	},
	async ({ values, positionals, terminal, usageError }) => {
		if (positionals.length > 0)
			return usageError(`What is ${JSON.stringify(positionals[0])}?`);
		const { kubeconfig, context, namespace, output } = values;
		const { environment } = terminal;
		await using server = await openApiServer({
			...{ kubeconfig, context, environment },
		});
		const objects = installObjects({ profile: "default", namespace });
		const look = values.pre ? checkBefore : checkAfter;
		const findings = await look(objects, server, namespace);
		if (output === "table")
			terminal.out(
				printTable(
					["ABOUT", "VERDICT", "MESSAGE"],
					findings.map(({ about, verdict, message }) => [
						...[about, verdict, message],
					]),
					{ colours: terminal.outColours },
				),
			);
		else terminal.out(await printValue({ findings }, output));
		const is = (wanted: string): boolean =>
			findings.some(({ verdict }) => verdict === wanted);
		if (is("problem")) return exitCode.negative;
		return is("unknown") ? exitCode.failed : exitCode.ok;
	},
);
