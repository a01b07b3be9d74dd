import { fieldOf, listOf, textOf } from "./json-fields.ts";
import { statusKinds } from "./status-kinds.ts";

/** Which columns a table of statuses has. */
export interface StatusColumns {
	readonly namespace: boolean;
	/** Names begin with their kind, because there are several. */
	readonly kind: boolean;
	readonly destination: boolean;
	readonly wide: boolean;
}

/** The heading of a table of statuses. */
export function statusHeading(columns: StatusColumns): readonly string[] {
	return [
		...(columns.namespace ? ["NAMESPACE"] : []),
		"NAME",
		...(columns.destination ? ["DESTINATION"] : []),
		"READY",
		"PROGRAMMED",
		"REASON",
		"AGE",
		...(columns.wide ? ["GENERATION", "AT", "MESSAGE"] : []),
	];
}

/** One object as a row of that table. */
export function statusRow(
	object: unknown,
	columns: StatusColumns,
	nowMs: number,
): readonly string[] {
	const ready = readinessOf(object);
	return [
		...(columns.namespace ? [textOf(object, "namespace")] : []),
		columns.kind
			? `${kindWord(object)}/${textOf(object, "name")}`
			: textOf(object, "name"),
		...(columns.destination ? [textOf(object, "destination")] : []),
		ready.status,
		printCounts(object),
		ready.reason,
		printAge(textOf(object, "createdAt"), nowMs),
		...(columns.wide
			? [textOf(object, "generation"), placeOf(object), ready.message]
			: []),
	];
}

/** The row of an object that is gone. */
export function deletedRow(
	object: unknown,
	columns: StatusColumns,
): readonly string[] {
	const name = textOf(object, "name");
	return [
		...(columns.namespace ? [textOf(object, "namespace")] : []),
		columns.kind ? `${kindWord(object)}/${name}` : name,
		...(columns.destination ? [""] : []),
		"",
		"",
		"Deleted",
		...(columns.wide ? ["", "", "", ""] : [""]),
	];
}

/** The condition of this type in an answer of the admin API. */
export function conditionIn(object: unknown, type: string): unknown {
	return listOf(fieldOf(object, "status"), "conditions").find(
		(one) => textOf(one, "type") === type,
	);
}

/** Whether an object is ready, for people. */
export interface Readiness {
	readonly status: string;
	readonly reason: string;
	readonly message: string;
}

/** What is known of its newest form: a status that speaks of an older one says nothing of that. */
export function readinessOf(object: unknown): Readiness {
	const ready = conditionIn(object, "Ready");
	const [status, reason, message] = ["status", "reason", "message"].map(
		(name) => textOf(ready, name),
	);
	if (status === undefined || status === "")
		return {
			status: "Unknown",
			reason: "",
			message:
				"It has no status: no control plane has looked at it yet. See that Lateen runs.",
		};
	const newest = Number(fieldOf(object, "generation") ?? 0);
	const seen = Number(
		fieldOf(fieldOf(object, "status"), "observedGeneration") ?? 0,
	);
	const known = { status, reason: reason ?? "", message: message ?? "" };
	return seen >= newest
		? known
		: {
				...known,
				status: "Unknown",
				message: `No control plane has looked at generation ${newest} yet. Of generation ${seen} it said: ${known.message}`,
			};
}

/** `rules.yaml:5`; empty when the object is in no file. */
export function placeOf(object: unknown): string {
	const file = textOf(object, "file");
	return file === "" ? "" : `${file}:${textOf(object, "line")}`;
}

/** How long ago, in the largest unit that says enough: `5s`, `3m`, `2h`, `4d`. */
export function printAge(time: string, nowMs: number): string {
	const ms = Date.parse(time);
	if (Number.isNaN(ms)) return "";
	const seconds = Math.max(0, Math.floor((nowMs - ms) / 1000));
	if (seconds < 120) return `${seconds}s`;
	if (seconds < 120 * 60) return `${Math.floor(seconds / 60)}m`;
	if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)}h`;
	return `${Math.floor(seconds / 86_400)}d`;
}

function printCounts(object: unknown): string {
	const proxies = fieldOf(fieldOf(object, "status"), "proxies");
	if (proxies === undefined) return "";
	const rejected = Number(fieldOf(proxies, "rejected") ?? 0);
	const counts = `${textOf(proxies, "acknowledged")}/${textOf(proxies, "total")}`;
	return rejected > 0 ? `${counts} (${rejected} refused)` : counts;
}

function kindWord(object: unknown): string {
	const kind = textOf(object, "kind");
	const known = statusKinds.find((one) => one.kind === kind);
	return known?.names[1] ?? kind.toLowerCase();
}
