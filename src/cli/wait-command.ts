import { setTimeout as sleep } from "node:timers/promises";
import { type ConditionType, conditionTypes } from "../api/status.ts";
import { isCancelled } from "../lib/is-cancelled.ts";
import { nearestName } from "../lib/nearest-name.ts";
import { HttpClientError } from "../net/http-client-error.ts";
import { clientSchema } from "../settings/schema.ts";
import { type Call, defineCommand } from "./command.ts";
import type { ControlPlane } from "./control-plane.ts";
import { type ExitCode, exitCode } from "./exit-code.ts";
import { fieldOf, textOf } from "./json-fields.ts";
import { namespaceOption } from "./namespace-option.ts";
import { plain } from "./print-table.ts";
import { ServerError } from "./server-client.ts";
import {
	type NamedObject,
	parseObjectName,
	printObjectName,
} from "./status-kinds.ts";
import { conditionIn, readinessOf } from "./status-rows.ts";
import { withControlPlane } from "./with-control-plane.ts";

const options = {
	for: {
		type: "text",
		default: "Programmed",
		placeholder: "CONDITION[=True|False|Unknown]",
		help: "What to wait for: Programmed, Ready, Accepted or ResolvedRefs",
	},
	generation: {
		type: "count",
		min: 1,
		help: "Wait for at least this generation instead of the newest that the server has read",
	},
	timeout: {
		type: "duration",
		default: "30s",
		max: 24 * 3_600_000,
		help: "How long to wait; 0s looks once",
	},
	...namespaceOption,
	...clientSchema,
} as const;

type WaitCall = Call<typeof options>;

/** What is waited for. */
interface Wanted {
	readonly condition: ConditionType;
	readonly status: string;
	readonly generation: number | undefined;
}

/** What one look at an object says. */
type Look =
	| { readonly is: "reached"; readonly message: string }
	/** Waiting is of no use. */
	| { readonly is: "refused"; readonly why: string }
	| { readonly is: "not yet"; readonly why: string };

/** What all that is waited for in one call know of the server. */
interface KnownServer {
	readonly plane: ControlPlane;
	/** It has answered once, so it may come back. */
	wasThere: boolean;
}

/** Time between attempts to reach a server that was there before. */
const againMs = 200;

/** `lateen wait`. */
export const waitCommand = defineCommand(
	{
		name: "wait",
		summary: "Wait until an object is live",
		usage: "KIND/NAME ... [--for=CONDITION] [flags]",
		details: [
			"Waits until every object that is named has the condition, for the newest generation that the server has read (or for --generation), and then says so. An object that does not exist yet may still come. Waiting goes on when the server restarts meanwhile.",
			"Exit codes: 0 the condition holds; 1 it did not in time, and the reason is printed; 4 it will not without a change, because validation or a proxy refuses the object, and the reason is printed at once; 2 the command line is wrong; 3 no server answers.",
		],
		options,
		examples: [
			[
				"Until a rule is live on every proxy that needs it",
				"lateen wait rr/reviews",
			],
			[
				"In a pipeline: this generation, everything about it",
				"lateen wait routerule/bookinfo/reviews --for=Ready --generation 7 --timeout 1m",
			],
			[
				"Until a bad one is noticed",
				"lateen wait rr/reviews --for=Accepted=False",
			],
		],
	},
	async (call) => {
		const { positionals, values, usageError } = call;
		const objects = positionals.map(parseObjectName);
		const wanted = parseWanted(values.for, values.generation);
		const problems = [...objects, wanted].filter(
			(one) => typeof one === "string",
		);
		if (objects.length === 0)
			problems.unshift("Name an object, like routerule/reviews.");
		if (problems.length > 0) return usageError(...problems);
		return withControlPlane(call, async (plane) => {
			const server = { plane, wasThere: false };
			const codes = await Promise.all(
				objects.flatMap((object) =>
					typeof object === "string" || typeof wanted === "string"
						? []
						: [waitFor(placed(object, plane), wanted, call, server)],
				),
			);
			const worstFirst = [exitCode.rejected, exitCode.negative];
			return worstFirst.find((code) => codes.includes(code)) ?? exitCode.ok;
		});
	},
);

function placed(object: NamedObject, { namespace }: ControlPlane): NamedObject {
	return { ...object, namespace: object.namespace ?? namespace };
}

function parseWanted(
	typed: string,
	generation: number | undefined,
): Wanted | string {
	const [name = "", status = "True", ...more] = typed
		.replace(/^condition=/, "")
		.split("=");
	const condition = conditionTypes.find(
		(one) => one.toLowerCase() === name.toLowerCase(),
	);
	if (condition === undefined) {
		const near = nearestName(name, conditionTypes);
		return `There is no condition ${JSON.stringify(name)}; there are ${conditionTypes.join(", ")}.${near === undefined ? "" : ` Did you mean ${near}?`}`;
	}
	const found = ["True", "False", "Unknown"].find(
		(one) => one.toLowerCase() === status.toLowerCase(),
	);
	if (found === undefined || more.length > 0)
		return `--for=${condition}=… takes True, False or Unknown.`;
	return { condition, status: found, generation };
}

async function waitFor(
	object: NamedObject,
	wanted: Wanted,
	{ values, terminal }: WaitCall,
	server: KnownServer,
): Promise<ExitCode> {
	const name = printObjectName(object);
	const say = (text: string): void =>
		terminal.err(`${plain(`lateen wait: ${name}: ${text}`)}\n`);
	const last =
		values.timeout === 0
			? await lookOnce(object, wanted, server)
			: await lookUntil(object, wanted, values.timeout, server);
	switch (last.is) {
		case "reached":
			terminal.out(`${plain(`${name}: ${last.message}`)}\n`);
			return exitCode.ok;
		case "refused":
			say(last.why);
			return exitCode.rejected;
		case "not yet":
			say(
				`${wanted.condition} is not ${wanted.status} ${values.timeout === 0 ? "now" : `after ${values.timeout / 1000} s`}. ${last.why}`,
			);
			return exitCode.negative;
	}
}

async function lookOnce(
	object: NamedObject,
	wanted: Wanted,
	{ plane }: KnownServer,
): Promise<Look> {
	try {
		const [found] = await plane.statuses(object);
		return look(found, wanted);
	} catch (error) {
		if (!(error instanceof ServerError) || error.code !== "CLI_NOT_FOUND")
			throw error;
		return missing(object);
	}
}

function missing({ kind }: NamedObject): Look {
	return {
		is: "not yet",
		why: `There is no ${kind.kind} of this name. \`lateen get ${kind.plural} -A\` lists those that are.`,
	};
}

/** Looks at every change until one settles it or the time is over; answers with the last look. */
async function lookUntil(
	object: NamedObject,
	wanted: Wanted,
	timeoutMs: number,
	server: KnownServer,
): Promise<Look> {
	const signal = AbortSignal.timeout(timeoutMs);
	let last: Look = { is: "not yet", why: "No answer has come." };
	for (;;) {
		let isThere = false;
		try {
			const lines = server.plane.watchStatuses(object, {
				signal,
				tell: (why) => {
					last = { is: "not yet", why };
				},
			});
			for await (const line of lines) {
				server.wasThere = true;
				if (line.type !== "SYNCED") isThere = line.type !== "DELETED";
				if (!isThere) last = missing(object);
				else if (line.type !== "SYNCED") last = look(line.object, wanted);
				if (last.is !== "not yet") return last;
			}
		} catch (error) {
			if (isOver(error, signal)) return last;
			if (!(error instanceof ServerError) || error.code !== "CLI_NO_SERVER")
				throw error;
			// A watch of a cluster outlives by itself what may pass. A server that was there may come back; one that is stopping resets what it has
			// not answered.
			if (
				server.plane.mode === "cluster" ||
				(!server.wasThere && nobodyListens(error))
			)
				throw error;
			last = { is: "not yet", why: error.message };
		}
		try {
			await sleep(againMs, undefined, { signal });
		} catch (error) {
			if (isOver(error, signal)) return last;
			throw error;
		}
	}
}

function nobodyListens({ cause }: ServerError): boolean {
	return (
		cause instanceof HttpClientError && cause.code === "NET_NOBODY_LISTENS"
	);
}

function isOver(error: unknown, signal: AbortSignal): boolean {
	return signal.aborted && (error === signal.reason || isCancelled(error));
}

function look(object: unknown, wanted: Wanted): Look {
	const newest = Number(fieldOf(object, "generation") ?? 0);
	const generation = wanted.generation ?? newest;
	const condition = conditionIn(object, wanted.condition);
	const observed = Number(fieldOf(condition, "observedGeneration") ?? 0);
	const message = textOf(condition, "message");
	if (textOf(condition, "status") === wanted.status && observed >= generation)
		return { is: "reached", message };
	const why =
		wanted.status === "True" && newest >= generation
			? refusal(object, wanted, generation)
			: undefined;
	if (why !== undefined) return { is: "refused", why };
	if (newest < generation)
		return {
			is: "not yet",
			why: `The server has read generation ${newest}, and not ${generation}.`,
		};
	if (Number(textOf(fieldOf(object, "status"), "observedGeneration")) < newest)
		return { is: "not yet", why: readinessOf(object).message };
	return { is: "not yet", why: `${textOf(condition, "reason")}: ${message}` };
}

/** Why this generation will not be live without a change; undefined while it may. */
function refusal(
	object: unknown,
	{ condition }: Wanted,
	generation: number,
): string | undefined {
	const refusals = [
		["Accepted", "Invalid"],
		...(condition === "Programmed" || condition === "Ready"
			? [["Programmed", "Rejected"]]
			: []),
	] as const;
	for (const [type = "", reason = ""] of refusals) {
		const one = conditionIn(object, type);
		if (
			textOf(one, "reason") === reason &&
			Number(fieldOf(one, "observedGeneration") ?? 0) >= generation
		)
			return `${reason}: ${textOf(one, "message")}`;
	}
	return undefined;
}
