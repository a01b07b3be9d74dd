import { setTimeout as sleep } from "node:timers/promises";
import { textOf } from "./json-fields.ts";
import { openServer, ServerError, type WhichServer } from "./server-client.ts";
import { type WatchLine, watchServer } from "./watch-server.ts";

/** Wait before a server that is gone is asked again. Milliseconds. */
const againMs = 500;

/** Time that a server which is ready again has to decide what to say of each object. Milliseconds. */
const settleMs = 1000;

/**
 * The lines of a watch that goes on when the server comes back: what is as it
 * was is not told again, and what is gone since is told as deleted. `SYNCED`
 * comes once.
 *
 * @param gone is called each time when the server is no longer there
 * Fails when: `watchServer` does before the first line, or for another reason than that nobody answers.
 */
export async function* watchOn(
	where: WhichServer,
	path: string,
	gone: () => void,
): AsyncGenerator<WatchLine> {
	const known = new Map<string, unknown>();
	let isSynced = false;
	for (;;) {
		/** What there is no more, as far as the server has said. */
		const left = new Map(isSynced ? known : []);
		try {
			for await (const line of watchServer(where, path)) {
				if (line.type === "SYNCED") {
					for (const [key, object] of left) {
						known.delete(key);
						yield { type: "DELETED", object };
					}
					left.clear();
					if (!isSynced) yield line;
					isSynced = true;
					continue;
				}
				const told = news(line, known);
				left.delete(keyOf(line.object));
				if (told !== undefined) yield told;
			}
		} catch (error) {
			const isNobody =
				error instanceof ServerError && error.code === "CLI_NO_SERVER";
			if (!isNobody || !isSynced) throw error;
		}
		gone();
		await whenBack(where);
	}
}

async function whenBack(where: WhichServer): Promise<void> {
	for (;;) {
		await sleep(againMs);
		try {
			const response = await openServer(where, "/readyz");
			await response.text();
			await sleep(settleMs);
			return;
		} catch (error) {
			// Not there, or not ready yet.
			if (!(error instanceof ServerError)) throw error;
		}
	}
}

/** What a line says that is not known yet. A server that forgets when things happened says that they happened when it came back. */
function news(
	{ type, object }: WatchLine,
	known: Map<string, unknown>,
): WatchLine | undefined {
	const key = keyOf(object);
	const before = known.get(key);
	if (type === "DELETED") {
		known.delete(key);
		return { type, object };
	}
	known.set(key, object);
	if (before === undefined) return { type, object };
	return withoutTimes(before) === withoutTimes(object)
		? undefined
		: { type: "MODIFIED", object };
}

function withoutTimes(object: unknown): string {
	return JSON.stringify(object, (name, value: unknown) =>
		name === "createdAt" || name === "lastTransitionTime" ? undefined : value,
	);
}

function keyOf(object: unknown): string {
	return ["kind", "namespace", "name"]
		.map((field) => textOf(object, field))
		.join("/");
}
