import { printRef } from "../api/object-ref.ts";
import { loadPrinter } from "../xds/generate/print.ts";
import { staticBootstrap } from "../xds/generate/static-bootstrap.ts";
import { printNodeId } from "../xds/node-id.ts";
import type { Proxy } from "../xds/proxy.ts";
import { renderProxy } from "../xds/render.ts";
import type { Resource } from "../xds/resource.ts";
import { type ResourceType, typeUrls } from "../xds/resource-type.ts";
import { checkManifests, printProblem } from "./check-manifests.ts";
import { type Call, defineCommand } from "./command.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { plain, printTable } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { describeProxy, proxyOptions } from "./proxy-options.ts";
import { findInputs } from "./read-inputs.ts";

const typeOfWord = {
	listeners: "listener",
	routes: "route",
	virtualhosts: "virtualHost",
	clusters: "cluster",
	endpoints: "endpoint",
} as const satisfies Record<string, ResourceType>;

const words = Object.keys(typeOfWord) as readonly (keyof typeof typeOfWord)[];

const options = {
	...proxyOptions,
	type: {
		type: "choice",
		values: ["listeners", "routes", "virtualhosts", "clusters", "endpoints"],
		repeatable: true,
		help: "Only resources of this type",
	},
	variant: {
		type: "choice",
		values: ["delta", "sotw"],
		default: "delta",
		help: "`delta` has virtual hosts as resources of their own, as Envoy gets them; `sotw` has whole route configurations",
	},
	target: {
		type: "text",
		repeatable: true,
		placeholder: "HOST:PORT",
		help: "What a gRPC client calls; with --grpc",
	},
	asBootstrap: {
		type: "boolean",
		help: "One static bootstrap that Envoy runs as it is, without a control plane",
	},
	output: { ...outputOption, default: "json" },
} as const;

type RenderCall = Call<typeof options>;

/** `lateen render`. */
export const renderCommand = defineCommand(
	{
		name: "render",
		summary: "Show the Envoy configuration that files would become",
		usage: "[FILE|DIR|-] ... --proxy NAMESPACE/NAME|--gateway NAME [flags]",
		details: [
			"Works offline: reads the files (the current folder when none is named) and prints, decoded from the very bytes a server would send, what this proxy would get. The flags about the proxy are those of `lateen bootstrap`; without any address, a sidecar is taken to have --outbound 127.0.0.1:15001.",
			"Objects that are refused are left out and reported; the exit code is then 1.",
		],
		options,
		examples: [
			[
				"Everything that one sidecar would get",
				"lateen render samples/bookinfo --proxy default/productpage-v1",
			],
			[
				"Which resources, and from which objects",
				"lateen render samples/bookinfo --proxy default/productpage-v1 -o table",
			],
			[
				"Only the virtual hosts, as YAML",
				"lateen render samples/bookinfo --proxy default/productpage-v1 --type virtualhosts -o yaml",
			],
			[
				"Run it without a control plane",
				"lateen render samples/bookinfo --proxy default/productpage-v1 --as-bootstrap > envoy.json && envoy -c envoy.json",
			],
		],
	},
	runRender,
);

async function runRender(call: RenderCall): Promise<ExitCode> {
	const { values, positionals, terminal, usageError } = call;
	const problems: string[] = [];
	const proxy = proxyOf(call, (problem) => problems.push(problem));
	if (values.asBootstrap && (values.type.length > 0 || proxy.kind === "grpc"))
		problems.push(
			"--as-bootstrap is a whole Envoy: it goes without --type and --grpc.",
		);
	if (values.target.length > 0 && proxy.kind !== "grpc")
		problems.push("--target goes with --grpc.");
	if (problems.length > 0) return usageError(...problems);
	const found = await findInputs(
		positionals.length === 0 ? ["."] : positionals,
		terminal,
	);
	if (!found.ok) return usageError(...found.problems);
	const checked = await checkManifests(found.inputs);
	const errors = checked.problems.filter(
		({ severity }) => severity === "error",
	);
	for (const problem of errors)
		terminal.err(`${plain(printProblem(problem))}\n`);
	const rendered = renderProxy(
		checked.build.mesh,
		proxy,
		values.asBootstrap || proxy.kind === "grpc" ? "sotw" : values.variant,
		values.target,
	);
	await printRendered(call, rendered);
	return errors.length === 0 ? exitCode.ok : exitCode.negative;
}

function proxyOf(
	{ values }: RenderCall,
	report: (problem: string) => void,
): Proxy {
	const { addresses, ...described } = describeProxy(values, report);
	const { kind, workload, attachment } = described;
	const bare =
		kind === "sidecar" &&
		attachment === "explicit" &&
		addresses.outbound === undefined &&
		addresses.inbound.length + addresses.tcp.length === 0;
	return {
		kind,
		workload,
		attachment,
		id: printNodeId({ kind, workload, suffix: values.suffix }),
		addresses: bare ? { ...addresses, outbound: "127.0.0.1:15001" } : addresses,
	};
}

async function printRendered(
	{ values, terminal }: RenderCall,
	rendered: ReadonlyMap<ResourceType, readonly Resource[]>,
): Promise<void> {
	const format = values.output === "yaml" ? "yaml" : "json";
	if (values.asBootstrap) {
		const bootstrap = staticBootstrap(rendered, await loadPrinter());
		terminal.out(await printValue(bootstrap, format));
		return;
	}
	const asked = words.filter(
		(word) => values.type.length === 0 || values.type.includes(word),
	);
	if (values.output === "table") {
		const rows = asked.flatMap((word) =>
			(rendered.get(typeOfWord[word]) ?? []).map(
				({ name, version, bytes, origins }) => [
					word,
					name,
					version,
					String(bytes.length),
					origins.map(printRef).join(", "),
				],
			),
		);
		const heading = ["TYPE", "NAME", "VERSION", "BYTES", "FROM"];
		terminal.out(printTable(heading, rows, { colours: terminal.outColours }));
		return;
	}
	const print = await loadPrinter();
	const printed = Object.fromEntries(
		asked.map((word) => [
			word,
			(rendered.get(typeOfWord[word]) ?? []).map(({ bytes }) =>
				print(typeUrls[typeOfWord[word]], bytes),
			),
		]),
	);
	terminal.out(await printValue(printed, format));
}
