import type { ObjectRef } from "../api/object-ref.ts";
import { clientSchema } from "../settings/schema.ts";
import { explainRequest } from "../xds/explain/explain-request.ts";
import type { Explanation } from "../xds/explain/explanation.ts";
import { decodeConfig, type ProxyConfig } from "../xds/explain/proxy-config.ts";
import { parseTarget, type Target } from "../xds/explain/target.ts";
import type { Proxy } from "../xds/proxy.ts";
import { renderProxy } from "../xds/render.ts";
import { checkManifests, printProblem } from "./check-manifests.ts";
import { type Call, defineCommand } from "./command.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { namespaceOption } from "./namespace-option.ts";
import { type ObjectPlaces, placed } from "./object-places.ts";
import { offlineProxy, qualifiedName } from "./offline-proxy.ts";
import { printExplanation } from "./print-explanation.ts";
import { plain } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { askSnapshot, type ProxySnapshot, wantedOf } from "./proxy-snapshot.ts";
import { findInputs } from "./read-inputs.ts";
import { ServerError } from "./server-client.ts";
import { withControlPlane } from "./with-control-plane.ts";

const options = {
	from: {
		type: "text",
		placeholder: "NAMESPACE/NAME",
		help: "Workload that sends the request",
	},
	gateway: {
		type: "text",
		placeholder: "[NAMESPACE/]NAME",
		help: "Gateway that the request comes to from outside, instead of --from",
	},
	method: {
		type: "text",
		default: "GET",
		short: "X",
		help: "Method of the request",
	},
	header: {
		type: "text",
		repeatable: true,
		short: "H",
		placeholder: "'NAME: VALUE'",
		help: "Header of the request",
	},
	captured: {
		type: "boolean",
		help: "The workload's traffic reaches its proxy by iptables; only with files, since a server knows",
	},
	output: outputOption,
	...namespaceOption,
	...clientSchema,
} as const;

type ExplainCall = Call<typeof options>;

/** `lateen explain`. */
export const explainCommand = defineCommand(
	{
		name: "explain",
		summary: "Walk one request through the configuration of its proxy",
		usage: "URL --from WORKLOAD|--gateway NAME [FILE|DIR|-] ... [flags]",
		details: [
			"Says what becomes of a request: which listener and virtual host take it, which routes were tried and why each did or did not match, which rule won, where the request goes and how it looks there. It reads the Envoy configuration itself, decoded from its bytes, so that the answer is Envoy's: of a connected proxy when no file is named, else of what the files would become.",
			"URL is http://, https:// or tcp://HOST:PORT, as the workload would call it. What every proxy adds to requests by itself (request ids and the like) is left out.",
			"The exit code is 0 when somebody can answer the request (an endpoint, or the proxy because a rule says so) and 1 when nobody can.",
		],
		options,
		examples: [
			[
				"By the server that runs",
				"lateen explain http://reviews:9080/reviews/1 --from productpage-v1",
			],
			[
				"By files, for a certain user",
				"lateen explain http://reviews:9080/ --from default/productpage-v1 -H 'end-user: jason' samples/bookinfo",
			],
			[
				"From outside",
				"lateen explain http://localhost:8080/productpage --gateway ingress samples/bookinfo",
			],
			[
				"Which rule wins, for scripts",
				"lateen explain http://reviews:9080/ --from productpage-v1 -o json | jq -r '.tried[] | select(.taken) | .name'",
			],
		],
	},
	runExplain,
);

/** A proxy, what it has, and where that comes from. */
interface Subject {
	readonly proxy: Proxy;
	readonly config: ProxyConfig;
	readonly places: ObjectPlaces;
	/** What should be known of the answer, as full sentences. */
	readonly notes: readonly string[];
}

async function runExplain(call: ExplainCall): Promise<ExitCode> {
	const { values, positionals, usageError } = call;
	const [url, ...paths] = positionals;
	const problems: string[] = [];
	const target = url === undefined ? undefined : parseTarget(url);
	if (url === undefined)
		problems.push("Name a URL, like http://reviews:9080/reviews/1.");
	else if (target === undefined)
		problems.push(
			`${JSON.stringify(url)} is no URL of the form http://HOST[:PORT][/PATH], https://… or tcp://HOST:PORT.`,
		);
	if ((values.from === undefined) === (values.gateway === undefined))
		problems.push(
			"Say who calls with --from WORKLOAD, or where the request comes in with --gateway NAME.",
		);
	const headers = values.header.flatMap((text) => {
		const header = parseHeader(text);
		if (header === undefined)
			problems.push(
				`--header is ${JSON.stringify(text)}; expected is 'NAME: VALUE'.`,
			);
		return header === undefined ? [] : [header];
	});
	if (problems.length > 0 || url === undefined || target === undefined)
		return usageError(...problems);
	const tell = async (subject: Subject | ExitCode): Promise<ExitCode> =>
		typeof subject === "number"
			? subject
			: explain(subject, { url, target, headers }, call);
	return paths.length > 0
		? tell(await subjectOfFiles(call, paths, target))
		: withControlPlane(call, async (plane) =>
				tell(await subjectOfServer(plane, call)),
			);
}

/** The request that is walked through. */
interface AskedRequest {
	readonly url: string;
	readonly target: Target;
	readonly headers: readonly (readonly [string, string])[];
}

async function explain(
	{ proxy, config, places, notes }: Subject,
	{ url, target, headers }: AskedRequest,
	{ values, terminal }: ExplainCall,
): Promise<ExitCode> {
	if (proxy.kind === "grpc") {
		terminal.err(
			"lateen explain: A gRPC client has no proxy; `lateen explain` walks the configuration of Envoys.\n",
		);
		return exitCode.negative;
	}
	const explained = explainRequest(config, {
		target,
		method: values.method.toUpperCase(),
		headers,
		attachment: proxy.kind === "gateway" ? "gateway" : proxy.attachment,
	});
	const explanation = { ...explained, notes: [...explained.notes, ...notes] };
	if (values.output === "table")
		terminal.out(
			printExplanation(explanation, {
				colours: terminal.outColours,
				places,
				url,
				from:
					proxy.kind === "gateway"
						? `outside, at gateway ${proxy.workload}`
						: `${proxy.workload} (${proxy.attachment} sidecar)`,
			}),
		);
	else
		terminal.out(
			await printValue(
				{
					proxy: proxy.workload,
					url,
					...explanation,
					objects: placed(originsIn(explanation), places),
				},
				values.output,
			),
		);
	return explanation.answered ? exitCode.ok : exitCode.negative;
}

function parseHeader(text: string): readonly [string, string] | undefined {
	const match = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(text);
	return match === null ? undefined : [match[1] ?? "", match[2] ?? ""];
}

async function subjectOfFiles(
	{ values, terminal, usageError }: ExplainCall,
	paths: readonly string[],
	{ port }: Target,
): Promise<Subject | ExitCode> {
	const found = await findInputs(paths, terminal);
	if (!found.ok) return usageError(...found.problems);
	const checked = await checkManifests(found.inputs);
	for (const problem of checked.problems)
		if (problem.severity === "error")
			terminal.err(`${plain(printProblem(problem))}\n`);
	const { namespace = "default" } = values;
	const proxy = offlineProxy(
		values.gateway === undefined
			? {
					kind: "sidecar",
					workload: qualifiedName(values.from ?? "", namespace),
					attachment: values.captured ? "captured" : "explicit",
				}
			: {
					kind: "gateway",
					workload: qualifiedName(values.gateway, namespace),
					listen: `0.0.0.0:${port}`,
				},
	);
	if (
		proxy.kind === "sidecar" &&
		!checked.build.mesh.workloads.has(proxy.workload)
	)
		terminal.err(
			`The files have no Pod ${proxy.workload}, so no rule that asks who calls can know it.\n`,
		);
	return {
		proxy,
		config: decodeConfig(renderProxy(checked.build.mesh, proxy, "delta")),
		places: checked.places,
		notes: [],
	};
}

async function subjectOfServer(
	plane: ControlPlane,
	{ values, terminal }: ExplainCall,
): Promise<Subject | ExitCode> {
	try {
		const snapshot = await askSnapshot(
			plane,
			qualifiedName(values.from ?? values.gateway ?? "", plane.namespace),
		);
		return {
			proxy: snapshot.proxy,
			config: decodeConfig(wantedOf(snapshot)),
			places: snapshot.objects,
			notes: behindNotes(snapshot),
		};
	} catch (error) {
		if (!(error instanceof ServerError) || error.code !== "CLI_NOT_FOUND")
			throw error;
		terminal.err(
			`lateen explain: ${error.message.replace("GET /v1/proxies lists", "`lateen proxies` lists")} With files, no proxy needs to run: name them after the URL.\n`,
		);
		return exitCode.negative;
	}
}

/** A proxy that lags behind may do something else for now. */
function behindNotes({ proxy, resources }: ProxySnapshot): readonly string[] {
	const behind = resources.filter(
		({ wanted, acknowledged }) => wanted?.version !== acknowledged?.version,
	).length;
	return behind === 0
		? []
		: [
				`The proxy has not acknowledged ${behind} of its ${resources.length} resources as they are meant to be, so it may do something else for now; \`lateen proxy ${proxy.workload} diff\` shows them.`,
			];
}

function originsIn(explanation: Explanation): readonly ObjectRef[] {
	const { listener, virtualHost, tried, outcome } = explanation;
	return [
		...(listener?.origins ?? []),
		...(virtualHost?.origins ?? []),
		...tried.flatMap(({ origin }) => origin ?? []),
		...(outcome.kind === "forward"
			? outcome.targets.flatMap(({ origins }) => origins)
			: []),
	];
}
