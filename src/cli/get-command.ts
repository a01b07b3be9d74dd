import { clientSchema } from "../settings/schema.ts";
import { type Call, defineCommand } from "./command.ts";
import type { ControlPlane, StatusSelection } from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { printEvents } from "./get-events.ts";
import { textOf } from "./json-fields.ts";
import { namespacesOption } from "./namespace-option.ts";
import { columnWidths, plain, printRow, printTable } from "./print-table.ts";
import { printValue } from "./print-value.ts";
import { ServerError } from "./server-client.ts";
import {
	type NamedObject,
	parseKind,
	parseObjectName,
	type StatusKind,
	statusKinds,
} from "./status-kinds.ts";
import {
	deletedRow,
	placeOf,
	readinessOf,
	type StatusColumns,
	statusHeading,
	statusRow,
} from "./status-rows.ts";
import { withControlPlane } from "./with-control-plane.ts";

const options = {
	...namespacesOption,
	output: {
		type: "choice",
		values: ["table", "wide", "json", "yaml"],
		default: "table",
		short: "o",
		help: "Form of the result: a table for people, a wide one with messages, JSON or YAML for programs",
	},
	watch: {
		type: "boolean",
		short: "w",
		help: "Go on and show every change, until Ctrl-C",
	},
	...clientSchema,
} as const;

/** A call of `lateen get`. */
export type GetCall = Call<typeof options>;

/** What is asked for. */
interface Asked {
	/** Undefined for all kinds. */
	readonly kind: StatusKind | undefined;
	readonly one: NamedObject | undefined;
	readonly columns: StatusColumns;
}

/** Reasons that are told below a table without being asked for. */
const maxNotes = 5;

/** `lateen get`. */
export const getCommand = defineCommand(
	{
		name: "get",
		summary: "Show objects: are they live, and if not, why",
		usage: "KIND [NAME] | KIND/NAME | all | events [flags]",
		details: [
			`KIND is ${statusKinds.map(({ names }) => names.join("|")).join(", ")}, or \`all\` of them. READY says that the newest form is valid, that everything it names exists, and that it is live everywhere; PROGRAMMED counts the connected proxies that have it among those that need it; REASON is one of docs/reasons.md. What is not ready is explained below the table (-o wide: for each object).`,
			"`events` are what happened to objects: refused, mended, rejected by a proxy, recovered.",
			"The exit code is 1 when the object that is named does not exist.",
		],
		options,
		examples: [
			["Rules of the namespace default", "lateen get routerules"],
			["Everything there is, with messages", "lateen get all -A -o wide"],
			["Follow one rule", "lateen get rr reviews --watch"],
			[
				"Names of rules that are not ready",
				`lateen get rr -A -o json | jq -r '.objects[] | select(.status.conditions[] | .type == "Ready" and .status != "True") | .name'`,
			],
			["What happened", "lateen get events -A"],
		],
	},
	async (call) => {
		const [first, second, ...more] = call.positionals;
		if (first === undefined)
			return call.usageError(
				`Name a kind: ${statusKinds.map(({ plural }) => plural).join(", ")}, all or events.`,
			);
		if (more.length > 0)
			return call.usageError(`What is ${JSON.stringify(more[0])}?`);
		if (first === "events" || first === "event")
			return second === undefined && !call.values.watch
				? withControlPlane(call, (plane) => printEvents(plane, call))
				: call.usageError("`get events` takes no name and no --watch.");
		const asked = parseAsked(first, second, call);
		if (typeof asked === "string") return call.usageError(asked);
		return withControlPlane(call, (plane) =>
			call.values.watch ? watch(asked, plane, call) : show(asked, plane, call),
		);
	},
);

function parseAsked(
	first: string,
	second: string | undefined,
	{ values }: GetCall,
): Asked | string {
	const all = first === "all";
	if (all && second !== undefined)
		return "`get all` takes no name; name a kind instead of `all`.";
	const kind = all ? undefined : parseKind(first.split("/", 1)[0] ?? "");
	if (typeof kind === "string") return kind;
	const named = [first, ...(second === undefined ? [] : [second])].join("/");
	const one = named.includes("/") ? parseObjectName(named) : undefined;
	if (typeof one === "string") return one;
	return {
		kind,
		one,
		columns: {
			namespace: values.allNamespaces && kind?.isNamespaced !== false,
			kind: all,
			destination: kind?.kind !== "Mesh",
			wide: values.output === "wide",
		},
	};
}

function selectionOf(
	{ kind, one }: Asked,
	{ namespace }: ControlPlane,
	{ values }: GetCall,
): StatusSelection {
	if (one !== undefined)
		return { kind, namespace: one.namespace ?? namespace, name: one.name };
	return {
		kind,
		namespace: values.allNamespaces ? undefined : namespace,
		name: undefined,
	};
}

async function show(
	asked: Asked,
	plane: ControlPlane,
	call: GetCall,
): Promise<ExitCode> {
	const { values, terminal } = call;
	let objects: readonly unknown[];
	try {
		objects = await plane.statuses(selectionOf(asked, plane, call));
	} catch (error) {
		if (!(error instanceof ServerError) || error.code !== "CLI_NOT_FOUND")
			throw error;
		terminal.err(
			`lateen get: ${error.message.replace(/GET \S+ lists/, `\`lateen get ${asked.kind?.plural ?? "all"} -A\` lists`)}\n`,
		);
		return exitCode.negative;
	}
	if (values.output === "json" || values.output === "yaml") {
		const value = asked.one === undefined ? { objects } : objects[0];
		terminal.out(await printValue(value, values.output));
		return exitCode.ok;
	}
	if (objects.length === 0) {
		terminal.err(nothingFound(asked, plane, call));
		return exitCode.ok;
	}
	terminal.out(
		printTable(
			statusHeading(asked.columns),
			objects.map((one) => statusRow(one, asked.columns, Date.now())),
			{ colours: terminal.outColours },
		),
	);
	if (values.output === "table") terminal.err(printNotes(objects));
	return exitCode.ok;
}

function nothingFound(
	{ kind }: Asked,
	{ namespace }: ControlPlane,
	{ values }: GetCall,
): string {
	const what = kind === undefined ? "object with a status" : kind.kind;
	return values.allNamespaces || kind?.isNamespaced === false
		? `There is no ${what}.\n`
		: `There is no ${what} in the namespace ${namespace}. -n names another one, and -A looks in all.\n`;
}

/** Why the first few are not ready. */
function printNotes(objects: readonly unknown[]): string {
	const troubled = objects.filter((one) => readinessOf(one).status !== "True");
	if (troubled.length === 0) return "";
	const notes = troubled.slice(0, maxNotes).map((one) => {
		const place = placeOf(one);
		const at = place === "" ? "" : ` (${place})`;
		return `${textOf(one, "name")}${at}: ${readinessOf(one).message}`;
	});
	const more = troubled.length - notes.length;
	return [
		"",
		...notes.map(plain),
		...(more > 0 ? [`And ${more} more; -o wide shows every message.`] : []),
		"",
	].join("\n");
}

/** Ends when whoever looks on ends it. */
async function watch(
	asked: Asked,
	plane: ControlPlane,
	call: GetCall,
): Promise<never> {
	const { values, terminal } = call;
	const { columns } = asked;
	const heading = statusHeading(columns);
	let waiting: unknown[] | undefined = [];
	let widths: readonly number[] = [];
	const lines = plane.followStatuses(
		selectionOf(asked, plane, call),
		(sentence) => terminal.err(`${plain(`lateen get: ${sentence}`)}\n`),
	);
	for await (const { type, object } of lines) {
		if (values.output === "json") {
			if (type !== "SYNCED")
				terminal.out(`${JSON.stringify({ type, object })}\n`);
		} else if (values.output === "yaml") {
			if (type !== "SYNCED")
				terminal.out(`---\n${await printValue({ type, object }, "yaml")}`);
		} else if (type === "SYNCED") {
			const rows = (waiting ?? []).map((one) =>
				statusRow(one, columns, Date.now()),
			);
			waiting = undefined;
			widths = columnWidths([heading, ...rows]);
			terminal.out(printTable(heading, rows, { colours: terminal.outColours }));
		} else if (waiting !== undefined) waiting.push(object);
		else {
			const row =
				type === "DELETED"
					? deletedRow(object, columns)
					: statusRow(object, columns, Date.now());
			widths = columnWidths([widths.map((width) => " ".repeat(width)), row]);
			terminal.out(printRow(row, widths));
		}
	}
	throw new Error("a watch has no end");
}
