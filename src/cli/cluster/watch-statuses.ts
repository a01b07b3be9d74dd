/*
 * A watch of statuses straight from the API server. Each kind has a watcher of
 * its own, which resumes by itself; what all of them bring goes into one queue.
 */

import type { KubeConnection } from "../../kube/connection.ts";
import { KubeError } from "../../kube/kube-error.ts";
import { resources } from "../../kube/resources.ts";
import { type WatchedChange, type Watcher, watch } from "../../kube/watcher.ts";
import { systemClock } from "../../lib/system-clock.ts";
import { silentLogger } from "../../observability/logger.ts";
import type { StatusSelection } from "../control-plane.ts";
import { textOf } from "../json-fields.ts";
import { ServerError } from "../server-client.ts";
import { type StatusKind, statusKinds } from "../status-kinds.ts";
import type { WatchLine } from "../watch-server.ts";
import { statusObject } from "./object-status.ts";

/** What a watch works with. */
export interface StatusWatchOptions {
	readonly connection: KubeConnection;
	readonly signal: AbortSignal | undefined;
	/** Hears why a kind is not current for now, and of one that is left out because the user may not read it, where others can be. */
	readonly tell: (sentence: string) => void;
}

/**
 * Every change of some objects, until the signal ends it.
 *
 * Fails when: the server cannot be reached at first, or the user may not watch any of it; then with a `CodedError`.
 */
export async function* watchClusterStatuses(
	selection: StatusSelection,
	options: StatusWatchOptions,
): AsyncGenerator<WatchLine> {
	const { signal } = options;
	const kinds = selection.kind === undefined ? statusKinds : [selection.kind];
	const queue = new Queue();
	const ending = new AbortController();
	const end = (): void => ending.abort(signal?.reason);
	signal?.addEventListener("abort", end, { once: true });
	const watched = kinds.map((kind) =>
		watchKind(kind, selection, options.connection, queue),
	);
	const open = new Set(watched);
	let isGone = false;
	const judge = (): void => {
		let trouble: string | undefined;
		for (const one of [...open]) {
			const why = verdictOn(one.watcher);
			if (why === undefined) continue;
			if ("goesOn" in why) {
				trouble ??= why.goesOn;
				continue;
			}
			open.delete(one);
			if (open.size === 0) queue.fail(why.fatal);
			else options.tell(why.fatal.message);
		}
		// Kinds share their fate mostly.
		if (trouble !== undefined && !isGone)
			options.tell(`${trouble} The watch goes on when that is over.`);
		isGone = trouble !== undefined;
		if ([...open].every(({ watcher }) => watcher.status.value.isListed))
			queue.sync();
	};
	const stops = watched.map(({ watcher }) => watcher.status.subscribe(judge));
	const running = watched.map(({ watcher }) =>
		watcher.run(ending.signal).catch((error: unknown) => queue.fail(error)),
	);
	try {
		if (signal?.aborted === true) throw signal.reason;
		yield* queue.lines(ending.signal);
	} finally {
		signal?.removeEventListener("abort", end);
		for (const stop of stops) stop();
		ending.abort();
		await Promise.all(running);
	}
}

/** What stands in the way of a kind: for good, or for now. */
function verdictOn({
	status,
}: Watcher<unknown>):
	| { readonly fatal: Error }
	| { readonly goesOn: string }
	| undefined {
	const { problem, isListed } = status.value;
	if (problem === undefined) return undefined;
	const { kind, message } = problem;
	switch (kind) {
		case "missing":
			return { fatal: new KubeError("KUBE_NOT_FOUND", message) };
		case "KUBE_FORBIDDEN":
		case "KUBE_UNAUTHENTICATED":
		case "KUBE_CONFIG":
		case "KUBE_INVALID":
			return { fatal: new KubeError(kind, message) };
		case "KUBE_UNREACHABLE":
			return isListed
				? { goesOn: message }
				: { fatal: new ServerError("CLI_NO_SERVER", message) };
		default:
			// Another version of the kind than ours is read, and what is read is current.
			return isListed && kind === "KUBE_NOT_FOUND"
				? undefined
				: { goesOn: message };
	}
}

function watchKind(
	kind: StatusKind,
	{ namespace, name }: StatusSelection,
	connection: KubeConnection,
	queue: Queue,
): { readonly watcher: Watcher<unknown> } {
	let told: ReadonlyMap<string, unknown> = new Map();
	const onChange = (change: WatchedChange<unknown>): void => {
		if (change.type === "listed") {
			for (const [key, object] of told)
				if (!change.items.has(key)) queue.push("DELETED", object);
			for (const [key, object] of change.items) {
				const before = told.get(key);
				if (before === undefined) queue.push("ADDED", object);
				// What is as it was is the same object.
				else if (before !== object) queue.push("MODIFIED", object);
			}
			told = change.items;
			return;
		}
		const now = new Map(told);
		for (const { op, key, value } of change.changes) {
			if (op === "delete") {
				now.delete(key);
				queue.push("DELETED", value);
			} else {
				queue.push(now.has(key) ? "MODIFIED" : "ADDED", value);
				now.set(key, value);
			}
		}
		told = now;
	};
	const watcher = watch<unknown>({
		connection,
		resource: resources[kind.kind],
		...(kind.isNamespaced && namespace !== undefined && { namespace }),
		...(name !== undefined && { fieldSelector: `metadata.name=${name}` }),
		project: (content) => statusObject(kind, content),
		onChange,
		clock: systemClock,
		logger: silentLogger,
	});
	return { watcher };
}

/** Lines that wait to be read. */
class Queue {
	#waiting: WatchLine[] = [];
	#failure: { readonly error: unknown } | undefined;
	#isSynced = false;
	#wake: () => void = () => undefined;

	push(type: "ADDED" | "MODIFIED" | "DELETED", object: unknown): void {
		this.#waiting.push(
			type === "DELETED" ? { type, object: nameOf(object) } : { type, object },
		);
		this.#wake();
	}

	/** Says once that everything there was has been told. */
	sync(): void {
		if (this.#isSynced) return;
		this.#isSynced = true;
		this.#waiting.push({ type: "SYNCED", object: undefined });
		this.#wake();
	}

	fail(error: unknown): void {
		this.#failure ??= { error };
		this.#wake();
	}

	async *lines(signal: AbortSignal): AsyncGenerator<WatchLine> {
		const aborted = (): void => this.#wake();
		signal.addEventListener("abort", aborted);
		try {
			for (;;) {
				const batch = this.#waiting;
				this.#waiting = [];
				yield* batch;
				if (this.#waiting.length > 0) continue;
				signal.throwIfAborted();
				if (this.#failure !== undefined) throw this.#failure.error;
				await new Promise<void>((resolve) => {
					this.#wake = resolve;
				});
			}
		} finally {
			signal.removeEventListener("abort", aborted);
		}
	}
}

function nameOf(object: unknown): unknown {
	return {
		kind: textOf(object, "kind"),
		namespace: textOf(object, "namespace"),
		name: textOf(object, "name"),
	};
}
