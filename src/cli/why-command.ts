import { createColors } from "picocolors";
import { printRef } from "../api/object-ref.ts";
import { clientSchema } from "../settings/schema.ts";
import { type Call, defineCommand } from "./command.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { fieldOf, listOf, textOf } from "./json-fields.ts";
import { namespaceOption } from "./namespace-option.ts";
import { type ObjectPlaces, placed } from "./object-places.ts";
import { qualifiedName } from "./offline-proxy.ts";
import { plain, printTable } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import {
	askSnapshot,
	type ProxySnapshot,
	placesIn,
	type SnapshotResource,
} from "./proxy-snapshot.ts";
import { hintFor } from "./resource-words.ts";
import { ServerError } from "./server-client.ts";
import { withControlPlane } from "./with-control-plane.ts";

const options = {
	type: {
		type: "choice",
		values: ["listeners", "routes", "virtualhosts", "clusters", "endpoints"],
		repeatable: true,
		help: "Only resources of this type",
	},
	output: outputOption,
	...namespaceOption,
	...clientSchema,
} as const;

type WhyCall = Call<typeof options>;

/** More resources than this are not told one by one. */
const mostResources = 20;

/** `lateen why`. */
export const whyCommand = defineCommand(
	{
		name: "why",
		summary: "Name the objects behind a resource, or what an object became",
		usage: "PROXY RESOURCE | KIND/[NAMESPACE/]NAME [flags]",
		details: [
			"With a proxy and the name of one of its resources (a part of the name will do), it names the objects that the resource comes from: kind, namespace and name, file and line, and generation.",
			"With one object, it lists the resources that come from it, for every connected proxy.",
			"The exit code is 1 when there is no such proxy, resource or object, and when an object became nothing.",
		],
		options,
		examples: [
			[
				"Whose doing is this virtual host?",
				"lateen why default/productpage-v1 outbound/reviews.default.svc.cluster.local:9080",
			],
			["Everything about reviews", "lateen why productpage-v1 reviews"],
			["What did this rule become, and where?", "lateen why routerule/reviews"],
		],
	},
	async (call) => {
		const [first, second, ...more] = call.positionals;
		if (first === undefined)
			return call.usageError(
				"Name a proxy and a resource, or an object like routerule/reviews.",
			);
		if (more.length > 0)
			return call.usageError(`What is ${JSON.stringify(more[0])}?`);
		const object = second === undefined ? parseSubject(first) : undefined;
		if (typeof object === "string") return call.usageError(object);
		return withControlPlane(call, async (plane) => {
			try {
				return object !== undefined
					? await whyObject(object, plane, call)
					: await whyResource(first, second ?? "", plane, call);
			} catch (error) {
				if (!(error instanceof ServerError) || error.code !== "CLI_NOT_FOUND")
					throw error;
				call.terminal.err(
					`lateen why: ${error.message.replace("GET /v1/proxies lists", "`lateen proxies` lists").replace("GET /v1/objects lists those that are.", "Is the namespace right?")}\n`,
				);
				return exitCode.negative;
			}
		});
	},
);

async function whyResource(
	proxy: string,
	name: string,
	plane: ControlPlane,
	{ values, terminal }: WhyCall,
): Promise<ExitCode> {
	const snapshot = await askSnapshot(
		plane,
		qualifiedName(proxy, plane.namespace),
		false,
	);
	const all = snapshot.resources.filter(
		({ word }) =>
			values.type.length === 0 ||
			values.type.some((type) => type === word.word),
	);
	const exact = all.filter((one) => one.name === name);
	const found =
		exact.length > 0 ? exact : all.filter((one) => one.name.includes(name));
	if (found.length === 0) {
		const hint = hintFor(
			name,
			all.map((one) => one.name),
		);
		terminal.err(
			`lateen why: ${snapshot.proxy.workload} has no resource with ${JSON.stringify(name)} in its name.${hint} \`lateen proxy ${snapshot.proxy.workload} clusters\` lists its clusters.\n`,
		);
		return exitCode.negative;
	}
	if (values.output !== "table") {
		const resources = found.map((one) => ({
			type: one.word.word,
			name: one.name,
			version: one.wanted?.version ?? null,
			acknowledged: one.acknowledged?.version ?? null,
			objects: placed(originsOf(one), snapshot.objects),
		}));
		terminal.out(
			await printValue(
				{ proxy: snapshot.proxy.workload, resources },
				values.output,
			),
		);
		return exitCode.ok;
	}
	for (const one of found.slice(0, mostResources))
		terminal.out(printBehind(one, snapshot, terminal.outColours));
	if (found.length > mostResources)
		terminal.err(
			`And ${found.length - mostResources} more; name one of them, or see -o json.\n`,
		);
	return exitCode.ok;
}

function originsOf({ wanted, acknowledged }: SnapshotResource) {
	return (wanted ?? acknowledged)?.origins ?? [];
}

function printBehind(
	one: SnapshotResource,
	{ proxy, objects }: ProxySnapshot,
	colours: boolean,
): string {
	const { bold } = createColors(colours);
	const heading = `${one.word.one} ${one.name} of ${proxy.workload}`;
	const origins = originsOf(one);
	const lines =
		origins.length === 0
			? ["no object: it comes from the proxy's bootstrap and from defaults"]
			: table(origins.map((ref) => describe(printRef(ref), objects)));
	return [
		`${bold(plain(heading))} (${stateOf(one)})`,
		...lines.map((line) => `  ${plain(line)}`),
		"",
		"",
	].join("\n");
}

function stateOf({ wanted, acknowledged, rejected }: SnapshotResource): string {
	if (rejected !== undefined) return "rejected by the proxy";
	if (wanted === undefined) return "to be removed";
	if (acknowledged === undefined) return "not acknowledged yet";
	return acknowledged.version === wanted.version
		? "acknowledged"
		: "an older version is acknowledged";
}

function describe(key: string, objects: ObjectPlaces): readonly string[] {
	const { file, line, generation } = objects.get(key) ?? {};
	return [
		key,
		file === undefined ? "" : `${file}:${line ?? 1}`,
		generation === undefined ? "" : `generation ${generation}`,
	];
}

function table(rows: readonly (readonly string[])[]): readonly string[] {
	const widths = [0, 1].map((column) =>
		Math.max(...rows.map((row) => row[column]?.length ?? 0)),
	);
	return rows.map((row) =>
		row
			.map((cell, column) => cell.padEnd(widths[column] ?? 0))
			.join("  ")
			.trimEnd(),
	);
}

/** Kinds that resources come from, by what people type for them. */
const kinds: Readonly<Record<string, string>> = {
	routerule: "RouteRule",
	routerules: "RouteRule",
	rr: "RouteRule",
	externalservice: "ExternalService",
	externalservices: "ExternalService",
	extsvc: "ExternalService",
	service: "Service",
	services: "Service",
	svc: "Service",
};

/** An object that resources come from. */
interface Subject {
	readonly kind: string;
	/** Undefined when none is named. */
	readonly namespace: string | undefined;
	readonly name: string;
}

function parseSubject(typed: string): Subject | string {
	const [kindName = "", ...rest] = typed.split("/");
	const kind = kinds[kindName.toLowerCase()];
	const name = rest.at(-1) ?? "";
	if (kind === undefined || rest.length > 2 || name === "" || rest[0] === "")
		return `${JSON.stringify(typed)} is no object of the form KIND/NAME or KIND/NAMESPACE/NAME, with routerule, externalservice or service.${hintFor(kindName, Object.keys(kinds))} For a resource of a proxy, name both: lateen why PROXY RESOURCE.`;
	return { kind, namespace: rest.length === 2 ? rest[0] : undefined, name };
}

async function whyObject(
	{ kind, namespace = "", name }: Subject,
	plane: ControlPlane,
	{ values, terminal }: WhyCall,
): Promise<ExitCode> {
	const answer = await plane.why({
		kind,
		namespace: namespace === "" ? plane.namespace : namespace,
		name,
	});
	const rows = listOf(answer, "proxies").flatMap((proxy) =>
		listOf(proxy, "resources")
			.filter(
				(one) =>
					values.type.length === 0 ||
					values.type.some((type) => type === textOf(one, "type")),
			)
			.map((one) => [
				textOf(proxy, "workload"),
				textOf(one, "type"),
				textOf(one, "name"),
			]),
	);
	if (values.output !== "table") {
		terminal.out(await printValue(answer, values.output));
		return rows.length > 0 ? exitCode.ok : exitCode.negative;
	}
	const object = fieldOf(answer, "object");
	const [key = ""] = placesIn([object]).keys();
	const about = describe(key, placesIn([object])).filter((text) => text !== "");
	if (rows.length === 0) {
		terminal.err(
			`${plain(about.join(", "))}: no connected proxy has anything of it. \`lateen get\` says whether it is in force.\n`,
		);
		return exitCode.negative;
	}
	const { bold } = createColors(terminal.outColours);
	terminal.out(`${bold(plain(about.join(", ")))}\n\n`);
	terminal.out(
		printTable(["PROXY", "TYPE", "RESOURCE"], rows, {
			colours: terminal.outColours,
		}),
	);
	return exitCode.ok;
}
