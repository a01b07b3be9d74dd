/*
 * The admin API where others can reach it: for those who prove that they may
 * read. On a loopback address it needs no proof, and is served without this.
 */
import type { HttpHandler } from "../lib/handler.ts";
import { failure } from "./answers.ts";

/** The header with the token; the API server, which passes requests on, keeps `Authorization` for itself. */
export const readerTokenHeader = "x-lateen-token";

/** What is known about a token. Sentences never hold it. */
export type ReaderVerdict =
	| { readonly is: "reader" }
	| { readonly is: "stranger" }
	/** It cannot be checked now. */
	| { readonly is: "unknown"; readonly why: string };

/**
 * The paths below `/v1/` of an admin API, for whoever brings the token of a reader.
 *
 * Guarantees: without one, nothing is told but that one is needed.
 */
export function readersOnly(
	admin: HttpHandler,
	check: (token: string) => Promise<ReaderVerdict>,
): HttpHandler {
	return async (request, signal) => {
		const token = request.headers.get(readerTokenHeader) ?? "";
		const verdict: ReaderVerdict =
			token === "" ? { is: "stranger" } : await check(token);
		switch (verdict.is) {
			case "stranger":
				return failure(
					403,
					`This needs a token of the ServiceAccount lateen-reader for the audience lateen.dev/admin, in the header ${readerTokenHeader}.`,
				);
			case "unknown":
				return failure(503, verdict.why);
			case "reader":
				return request.path.startsWith("/v1/")
					? admin(request, signal)
					: failure(404, "There is only what begins with /v1/ here.");
		}
	};
}
