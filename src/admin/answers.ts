import type { HttpResponse } from "../lib/handler.ts";

/** The content type of most answers. */
export const jsonType = "application/json; charset=utf-8";

/** An answer in JSON. */
export function json(status: number, body: unknown): HttpResponse {
	return {
		status,
		headers: { "content-type": jsonType },
		body: `${JSON.stringify(body)}\n`,
	};
}

/** An answer other than 200, in one sentence. */
export function failure(status: number, message: string): HttpResponse {
	return json(status, { error: message });
}
