import { HttpClientError } from "../net/http-client-error.ts";
import { fieldOf, textOf } from "./json-fields.ts";
import { openServer, ServerError, type WhichServer } from "./server-client.ts";

/** One line of a watch. */
export interface WatchLine {
	/** `SYNCED` comes once, after everything that there was. */
	readonly type: "ADDED" | "MODIFIED" | "DELETED" | "SYNCED";
	readonly object: unknown;
}

/**
 * The lines of a watch of the admin API, until the server ends it.
 *
 * Fails when: nobody answers, or the answer is no; then with a `ServerError`.
 */
export async function* watchServer(
	where: WhichServer,
	path: string,
	signal?: AbortSignal,
): AsyncGenerator<WatchLine> {
	const response = await openServer(where, `${path}?watch=1`, signal);
	const decoder = new TextDecoder();
	let text = "";
	try {
		for await (const chunk of response.body) {
			text += decoder.decode(chunk, { stream: true });
			const lines = text.split("\n");
			text = lines.pop() ?? "";
			for (const line of lines) yield parseLine(line);
		}
	} catch (error) {
		if (!(error instanceof HttpClientError)) throw error;
		throw new ServerError("CLI_NO_SERVER", error.message, { cause: error });
	}
}

function parseLine(line: string): WatchLine {
	const value: unknown = JSON.parse(line);
	const type = textOf(value, "type");
	switch (type) {
		case "ADDED":
		case "MODIFIED":
		case "DELETED":
		case "SYNCED":
			return { type, object: fieldOf(value, "object") };
		default:
			throw new ServerError(
				"CLI_SERVER_FAILED",
				"The server answers in a form that this version does not know. Use the same version on both sides.",
			);
	}
}
