import { type ObjectRef, objectKey } from "../api/object-ref.ts";
import { printStatus, printTime } from "../api/status.ts";
import type { HttpRequest, HttpResponse } from "../lib/handler.ts";
import { failure, json } from "./answers.ts";
import type { StatusReader, StatusState } from "./readers.ts";

/** Kinds that have a status and no namespace. */
const clusterKinds: ReadonlySet<string> = new Set(["Mesh"]);

/** Which objects a request is about. */
interface Selection {
	/** Set when it names one object. */
	readonly one: ObjectRef | undefined;
	includes(ref: ObjectRef): boolean;
}

/**
 * Answers `/v1/status`: the objects that the path selects, once, or with
 * `?watch=1` as a stream of lines that goes on until the client leaves.
 */
export async function statusAnswer(
	request: HttpRequest,
	reader: StatusReader,
	signal: AbortSignal,
): Promise<HttpResponse> {
	const selected = selectionOf(request.path.slice("/v1/status".length));
	if (typeof selected === "string") return failure(404, selected);
	const watch = request.query.get("watch");
	if (watch === "1" || watch === "true")
		return {
			status: 200,
			headers: { "content-type": "application/x-ndjson; charset=utf-8" },
			body: watchLines(reader, selected, signal),
		};
	if (selected.one === undefined) {
		const objects = reader
			.statuses()
			.filter(({ ref }) => selected.includes(ref));
		return json(200, { objects: objects.map(printState) });
	}
	const state = reader.of(selected.one);
	return state === undefined
		? failure(
				404,
				`There is no ${selected.one.kind} ${objectKey(selected.one)}. GET /v1/status/${selected.one.kind} lists those that are.`,
			)
		: json(200, printState(state));
}

/** Answers `/v1/events`; `kind`, `namespace` and `name` narrow it down. */
export function eventsAnswer(
	query: URLSearchParams,
	reader: StatusReader,
): HttpResponse {
	const fields = ["kind", "namespace", "name"] as const;
	const events = reader
		.events()
		.filter(({ about }) =>
			fields.every((field) => [null, about[field]].includes(query.get(field))),
		);
	return json(200, {
		events: events.map((event) => ({
			...event.about,
			type: event.type,
			reason: event.reason,
			message: event.message,
			count: event.count,
			firstTime: printTime(event.firstMs),
			lastTime: printTime(event.lastMs),
		})),
	});
}

function selectionOf(below: string): Selection | string {
	const [, kind, first, second, ...more] = below.split("/");
	if (more.length > 0)
		return "Name an object as /v1/status/KIND/NAMESPACE/NAME.";
	if (kind === undefined || kind === "") return many(() => true);
	if (first === undefined || first === "")
		return many((ref) => ref.kind === kind);
	const isCluster = clusterKinds.has(kind);
	if (!isCluster && (second === undefined || second === ""))
		return many((ref) => ref.kind === kind && ref.namespace === first);
	if (isCluster && second !== undefined)
		return `A ${kind} has no namespace: /v1/status/${kind}/NAME.`;
	const one: ObjectRef = isCluster
		? { kind, namespace: "", name: first }
		: { kind, namespace: first, name: second ?? "" };
	return { one, includes: (ref: ObjectRef) => keyOf(ref) === keyOf(one) };
}

function many(includes: Selection["includes"]): Selection {
	return { one: undefined, includes };
}

function printState(state: StatusState) {
	const { ref, generation, createdMs, destination, place, status } = state;
	return {
		...ref,
		generation,
		createdAt: printTime(createdMs),
		destination,
		...place,
		status: printStatus(status),
	};
}

/**
 * One line for each object that there is, `SYNCED`, and then a line for each
 * change. A server that has just started begins when it has something to say of
 * every object. What waits to be sent is a set of names, so a slow reader skips states
 * and costs no memory.
 */
async function* watchLines(
	reader: StatusReader,
	selected: Selection,
	signal: AbortSignal,
): AsyncGenerator<string> {
	const known = new Set<string>();
	let waiting = new Map<string, ObjectRef>();
	let wake: () => void = () => undefined;
	const stop = reader.subscribe((refs) => {
		for (const ref of refs)
			if (selected.includes(ref)) waiting.set(keyOf(ref), ref);
		wake();
	});
	const stopComplete = reader.isComplete.subscribe(() => wake());
	const aborted = (): void => wake();
	signal.addEventListener("abort", aborted);
	const line = (ref: ObjectRef): string | undefined => {
		const key = keyOf(ref);
		const state = reader.of(ref);
		if (state === undefined)
			return known.delete(key)
				? print({ type: "DELETED", object: ref })
				: undefined;
		const type = known.has(key) ? "MODIFIED" : "ADDED";
		known.add(key);
		return print({ type, object: printState(state) });
	};
	try {
		while (!reader.isComplete.value && !signal.aborted)
			await new Promise<void>((resolve) => {
				wake = resolve;
			});
		waiting.clear();
		for (const { ref } of reader.statuses()) {
			if (signal.aborted) return;
			const text = selected.includes(ref) ? line(ref) : undefined;
			if (text !== undefined) yield text;
		}
		yield print({ type: "SYNCED" });
		while (!signal.aborted) {
			if (waiting.size === 0)
				await new Promise<void>((resolve) => {
					wake = resolve;
				});
			const batch = waiting;
			waiting = new Map();
			for (const ref of batch.values()) {
				const text = signal.aborted ? undefined : line(ref);
				if (text !== undefined) yield text;
			}
		}
	} finally {
		stop();
		stopComplete();
		signal.removeEventListener("abort", aborted);
	}
}

function keyOf(ref: ObjectRef): string {
	return `${ref.kind}/${objectKey(ref)}`;
}

function print(value: unknown): string {
	return `${JSON.stringify(value)}\n`;
}
