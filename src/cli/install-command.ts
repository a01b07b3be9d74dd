import { type Call, defineCommand } from "./command.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { clusterOptions } from "./install/cluster-options.ts";
import { installObjects, profiles } from "./install/install-objects.ts";
import type { Manifest } from "./install/manifest.ts";
import { openApiServer } from "./install/open-api-server.ts";
import { tryApply } from "./install/try-apply.ts";
import { plain, printTable } from "./print-table.ts";
import { printValue } from "./print-value.ts";

const options = {
	profile: {
		type: "choice",
		values: profiles,
		default: "default",
		help: "default: two replicas; one-replica: one; ha: three, larger, on nodes of their own, before other pods",
	},
	image: {
		type: "text",
		placeholder: "IMAGE",
		help: "Image of the control plane; without a tag it is the one of this version",
	},
	proxyImage: {
		type: "text",
		placeholder: "IMAGE",
		help: "Image of the proxies, likewise; a Mesh that names one goes before it",
	},
	dryRun: {
		type: "choice",
		values: ["server"],
		placeholder: "server",
		help: "Ask the API server what applying it would change, and change nothing",
	},
	output: {
		type: "choice",
		values: ["yaml", "json", "table"],
		short: "o",
		help: "Form of the result: by default yaml, and with --dry-run a table",
	},
	...clusterOptions,
} as const;

/** `lateen install`. */
export const installCommand = defineCommand(
	{
		name: "install",
		summary: "Print the manifests of an installation, or try them",
		usage: "[flags] | kubectl apply --server-side -f -",
		details: [
			"Prints every object of an installation of this version: the same that `kubectl kustomize` makes of manifests/base, and of manifests/overlays for the other profiles. Nothing is written anywhere; whoever applies it, and with what, is up to you.",
			"With --dry-run=server the API server checks each object as if it were applied, with all that has a say in it, and the fields that would change are listed. What lies in a namespace that is not there yet cannot be tried. The exit code is 1 when something would be refused.",
		],
		options,
		examples: [
			[
				"Install",
				"lateen install --image registry.example.com/lateen --proxy-image registry.example.com/lateen-proxy | kubectl apply --server-side -f -",
			],
			["What an upgrade would change", "lateen install --dry-run=server"],
			[
				"Three replicas, as files for GitOps",
				"lateen install --profile ha > lateen.yaml",
			],
		],
	},
	async (call) => {
		const { values, positionals, usageError } = call;
		if (positionals.length > 0)
			return usageError(`What is ${JSON.stringify(positionals[0])}?`);
		const { output, namespace } = values;
		if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(namespace))
			return usageError(
				`--namespace is ${JSON.stringify(namespace)}; expected is a name of small letters, digits and hyphens.`,
			);
		if (output === "table" && values.dryRun === undefined)
			return usageError("There is a table with --dry-run=server only.");
		const objects = installObjects(values);
		return values.dryRun === undefined
			? print(objects, call)
			: tryOut(objects, call);
	},
);

type InstallCall = Call<typeof options>;

async function print(
	objects: readonly Manifest[],
	{ values, terminal }: InstallCall,
): Promise<ExitCode> {
	if (values.output === "json") {
		const list = { apiVersion: "v1", kind: "List", items: objects };
		terminal.out(await printValue(list, "json"));
		return exitCode.ok;
	}
	const texts = await Promise.all(
		objects.map((one) => printValue(one, "yaml")),
	);
	terminal.out(texts.join("---\n"));
	return exitCode.ok;
}

async function tryOut(
	objects: readonly Manifest[],
	{ values, terminal }: InstallCall,
): Promise<ExitCode> {
	const { kubeconfig, context, output = "table" } = values;
	const { environment } = terminal;
	await using server = await openApiServer({
		...{ kubeconfig, context, environment },
	});
	const trials = await tryApply(objects, server);
	const count = (would: string): number =>
		trials.filter((one) => one.would === would).length;
	if (output === "table") {
		const rows = trials
			.filter(({ would }) => would !== "nothing")
			.flatMap(({ object, would, details: [first = "", ...more] }) => [
				[object, would, first],
				...more.map((detail) => ["", "", detail]),
			]);
		if (rows.length > 0)
			terminal.out(
				printTable(["OBJECT", "WOULD", "DETAILS"], rows, {
					colours: terminal.outColours,
				}),
			);
		terminal.err(
			`${plain(`Of ${trials.length} objects ${server.asked} would create ${count("create")}, change ${count("change")}, refuse ${count("refused")}, and leave ${count("nothing")} as they are.`)}\n`,
		);
	} else terminal.out(await printValue({ objects: trials }, output));
	return count("refused") > 0 ? exitCode.negative : exitCode.ok;
}
