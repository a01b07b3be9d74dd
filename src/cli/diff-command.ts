import { createColors } from "picocolors";
import { printRef } from "../api/object-ref.ts";
import { clientSchema } from "../settings/schema.ts";
import { Catalog } from "../xds/catalog/catalog.ts";
import { loadPrinter } from "../xds/generate/print.ts";
import { renderFrom } from "../xds/render.ts";
import type { Resource } from "../xds/resource.ts";
import { typeUrls } from "../xds/resource-type.ts";
import {
	type CheckedManifests,
	checkManifests,
	printProblem,
} from "./check-manifests.ts";
import { type Call, defineCommand } from "./command.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { textOf } from "./json-fields.ts";
import { namespaceOption } from "./namespace-option.ts";
import { qualifiedName } from "./offline-proxy.ts";
import { originsOfChange, printChange } from "./print-change.ts";
import { plain } from "./print-table.ts";
import { outputOption, printValue } from "./print-value.ts";
import { proxiesOfMeshes } from "./proxies-of-meshes.ts";
import {
	changesOf,
	type ResourceChange,
	summarizeChanges,
} from "./proxy-changes.ts";
import { askSnapshot, wantedOf } from "./proxy-snapshot.ts";
import { findInputs } from "./read-inputs.ts";
import { ServerError } from "./server-client.ts";
import { withControlPlane } from "./with-control-plane.ts";

const options = {
	from: {
		type: "text",
		repeatable: true,
		placeholder: "FILE|DIR",
		help: "Compare with these files instead of a running server",
	},
	partial: {
		type: "boolean",
		help: "The files are a part: objects that they do not name stay as they are in --from",
	},
	proxy: {
		type: "text",
		repeatable: true,
		placeholder: "NAMESPACE/NAME",
		help: "Only this proxy: a workload, or a gateway",
	},
	captured: {
		type: "boolean",
		help: "With --from: traffic reaches the sidecars by iptables",
	},
	summary: {
		type: "boolean",
		help: "Only one line for each proxy",
	},
	output: outputOption,
	...namespaceOption,
	...clientSchema,
} as const;

type DiffCall = Call<typeof options>;

/** `lateen diff`. */
export const diffCommand = defineCommand(
	{
		name: "diff",
		summary: "Show what would change in each proxy if files were applied",
		usage: "[FILE|DIR|-] ... [--from FILE|DIR] [flags]",
		details: [
			"Takes the files (the current folder when none is named) for everything there is, as `lateen serve` takes its folder, renders them for each connected proxy of the running server, and compares that with what the server has the proxy use. With --from, it compares two sets of files, without a server: for every Pod and gateway in them.",
			"In a Kubernetes cluster it takes the files for what `kubectl apply` is given: objects that they do not name stay as they are there. It reads the objects with the user's own rights, which takes the verb list on all kinds that a mesh is made of, in all namespaces.",
			"For each proxy there is one line that says what differs; then comes a unified diff of each Envoy resource, once for all proxies for which it is the same, with the objects it comes from.",
			"The exit code is 0 when nothing differs and 1 when something does; 2 and more are troubles, among them an object that is refused (4), which is left out.",
		],
		options,
		examples: [
			["Before a commit, against the server", "lateen diff mesh/"],
			["Against another folder", "lateen diff mesh/ --from ../main/mesh"],
			[
				"One more rule on top of a folder",
				"lateen diff new-rule.yaml --partial --from mesh/",
			],
			[
				"In a pipeline",
				"git show HEAD:mesh.yaml > /tmp/old.yaml && lateen diff mesh.yaml --from /tmp/old.yaml --summary",
			],
		],
	},
	runDiff,
);

/** One proxy and what differs for it. */
interface ProxyDiff {
	readonly workload: string;
	readonly changes: readonly ResourceChange[];
}

async function runDiff(call: DiffCall): Promise<ExitCode> {
	const { values, positionals, terminal, usageError } = call;
	const problems: string[] = [];
	const offline = values.from.length > 0;
	if (values.partial && !offline)
		problems.push(
			"--partial goes with --from, the files that the others are laid over.",
		);
	if (values.captured && !offline)
		problems.push("--captured goes with --from; a server knows its proxies.");
	if (problems.length > 0) return usageError(...problems);
	const paths = positionals.length === 0 ? ["."] : positionals;
	const found = await findInputs(paths, terminal);
	if (!found.ok) return usageError(...found.problems);
	const base = await findInputs(values.from, terminal);
	if (!base.ok) return usageError(...base.problems);
	if (!offline)
		return withControlPlane(call, async (plane) => {
			const objects = await plane.objects();
			const after = await checkManifests(
				found.inputs,
				objects && {
					objects,
					namespace: plane.namespace,
				},
			);
			return tellDiffs(after, () => serverDiffs(after, plane, call), call);
		});
	// Of an object that stands in both, the first is taken.
	const after = await checkManifests(
		values.partial ? [...found.inputs, ...base.inputs] : found.inputs,
	);
	const before = await checkManifests(base.inputs);
	return tellDiffs(after, () => offlineDiffs(before, after, call), call);
}

async function tellDiffs(
	after: CheckedManifests,
	makeDiffs: () =>
		| readonly ProxyDiff[]
		| ExitCode
		| Promise<readonly ProxyDiff[] | ExitCode>,
	call: DiffCall,
): Promise<ExitCode> {
	const { terminal } = call;
	const refused = after.problems.filter(
		({ severity, reason }) => severity === "error" && reason === "Invalid",
	);
	for (const problem of refused)
		terminal.err(`${plain(printProblem(problem))}\n`);
	const diffs = await makeDiffs();
	if (typeof diffs === "number") return diffs;
	await printDiffs(diffs, call);
	if (refused.length > 0) {
		terminal.err(
			"lateen diff: What is refused is left out here; a server goes on with its last good form.\n",
		);
		return exitCode.rejected;
	}
	return diffs.some(({ changes }) => changes.length > 0)
		? exitCode.negative
		: exitCode.ok;
}

function offlineDiffs(
	before: CheckedManifests,
	after: CheckedManifests,
	{ values, usageError }: DiffCall,
): readonly ProxyDiff[] | ExitCode {
	const old = new Catalog();
	old.update(before.build.mesh);
	const now = new Catalog();
	now.update(after.build.mesh);
	const all = proxiesOfMeshes(
		[before.build.mesh, after.build.mesh],
		values.captured ? "captured" : "explicit",
		values.proxy,
	);
	if (all.length === 0)
		return usageError(
			"The files have no Pods, gateways or services, so there is no proxy to compare for.",
		);
	return all.map((proxy) => ({
		workload: proxy.workload,
		changes: changesOf(
			renderFrom(old, proxy, "delta"),
			renderFrom(now, proxy, "delta"),
		),
	}));
}

async function serverDiffs(
	after: CheckedManifests,
	plane: ControlPlane,
	{ values, terminal }: DiffCall,
): Promise<readonly ProxyDiff[] | ExitCode> {
	const connected = await plane.proxies();
	const wanted = values.proxy.map((name) =>
		qualifiedName(name, plane.namespace),
	);
	const asked = connected.filter(
		(one) =>
			values.proxy.length === 0 ||
			wanted.some((name) =>
				[textOf(one, "workload"), textOf(one, "id")].includes(name),
			),
	);
	if (asked.length === 0) {
		terminal.err(
			values.proxy.length === 0
				? "lateen diff: No proxy is connected, so nothing would change for anybody. With --from, files are compared without proxies.\n"
				: `lateen diff: No proxy ${values.proxy.join(" or ")} is connected. \`lateen proxies\` lists those that are.\n`,
		);
		return values.proxy.length === 0 ? exitCode.ok : exitCode.failed;
	}
	const catalog = new Catalog();
	catalog.update(after.build.mesh);
	const diffs: ProxyDiff[] = [];
	for (const one of asked) {
		const diff = await serverDiff(textOf(one, "id"), catalog, plane);
		if (diff !== undefined) diffs.push(diff);
	}
	return diffs;
}

async function serverDiff(
	id: string,
	catalog: Catalog,
	plane: ControlPlane,
): Promise<ProxyDiff | undefined> {
	try {
		const snapshot = await askSnapshot(plane, id);
		const { proxy, variant } = snapshot;
		const before = wantedOf(snapshot);
		const targets = (before.get("listener") ?? []).map(({ name }) => name);
		return {
			workload: proxy.workload,
			changes: changesOf(before, renderFrom(catalog, proxy, variant, targets)),
		};
	} catch (error) {
		// It has gone since the list was made.
		if (error instanceof ServerError && error.code === "CLI_NOT_FOUND")
			return undefined;
		throw error;
	}
}

async function printDiffs(
	diffs: readonly ProxyDiff[],
	{ values, terminal }: DiffCall,
): Promise<void> {
	const print = await loadPrinter();
	if (values.output !== "table") {
		const config = ({ word }: ResourceChange, one: Resource | undefined) =>
			one === undefined ? null : print(typeUrls[word.type], one.bytes);
		const value = {
			different: diffs.some(({ changes }) => changes.length > 0),
			proxies: diffs.map(({ workload, changes }) => ({
				proxy: workload,
				summary: summarizeChanges(changes),
				changes: changes.map((change) => ({
					type: change.word.word,
					name: change.name,
					change: change.change,
					objects: (change.after ?? change.before)?.origins.map(printRef) ?? [],
					...(values.summary
						? {}
						: {
								before: config(change, change.before),
								after: config(change, change.after),
							}),
				})),
			})),
		};
		terminal.out(await printValue(value, values.output));
		return;
	}
	const { bold } = createColors(terminal.outColours);
	const different = diffs.filter(({ changes }) => changes.length > 0);
	for (const { workload, changes } of different)
		terminal.out(
			`${bold(plain(workload))}: ${plain(summarizeChanges(changes))}\n`,
		);
	const same = diffs.length - different.length;
	if (same > 0)
		terminal.out(
			`${same} ${same === 1 ? "proxy" : "proxies"}: no change${different.length === 0 ? "" : ` (${names(diffs.filter(({ changes }) => changes.length === 0))})`}\n`,
		);
	if (values.summary) return;
	const sides = {
		before: values.from.length > 0 ? values.from.join(", ") : "now",
		after: "with the files",
	};
	for (const [change, concerned] of distinctChanges(different)) {
		const from = originsOfChange(change);
		terminal.out(
			`\n# for ${plain(names(concerned))}${from === "" ? "" : `; from ${plain(from)}`}\n${printChange(change, sides, print, terminal.outColours)}`,
		);
	}
}

/** Each change once, with the proxies that it concerns. */
function distinctChanges(
	diffs: readonly ProxyDiff[],
): Iterable<readonly [ResourceChange, readonly ProxyDiff[]]> {
	const distinct = new Map<string, [ResourceChange, ProxyDiff[]]>();
	for (const diff of diffs)
		for (const change of diff.changes) {
			const key = JSON.stringify([
				change.word.word,
				change.name,
				change.before?.version,
				change.after?.version,
			]);
			const entry = distinct.get(key);
			if (entry === undefined) distinct.set(key, [change, [diff]]);
			else entry[1].push(diff);
		}
	return distinct.values();
}

function names(diffs: readonly ProxyDiff[]): string {
	const all = [...new Set(diffs.map(({ workload }) => workload))];
	const shown = all.slice(0, 3).join(", ");
	return all.length > 3 ? `${shown} and ${all.length - 3} more` : shown;
}
