/*
 * The admin API where others can reach it: for those who prove that they may
 * read. On a loopback address it needs no proof, and is served without this.
 */
import type { HttpHandler, HttpResponse } from "../lib/handler.ts";
import { failure } from "./answers.ts";

/** The header with the token; the API server, which passes requests on, keeps `Authorization` for itself. */
export const readerTokenHeader = "x-lateen-token";

/** What is known about a token. Sentences never hold it. */
export type ReaderVerdict =
	| { readonly is: "reader" }
	/** May also change what can be changed. */
	| { readonly is: "operator" }
	| { readonly is: "stranger" }
	/** It cannot be checked now. */
	| { readonly is: "unknown"; readonly why: string };

/**
 * The paths below `/v1/` of an admin API, for whoever brings the token of a reader
 * or an operator.
 *
 * Guarantees: without one, nothing is told but that one is needed; only operators
 *   change anything.
 */
export function readersOnly(
	admin: HttpHandler,
	check: (token: string) => Promise<ReaderVerdict>,
): HttpHandler {
	return async (request, signal) => {
		const below = async (): Promise<HttpResponse> =>
			request.path.startsWith("/v1/")
				? admin(request, signal)
				: failure(404, "There is only what begins with /v1/ here.");
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
				if (request.method !== "GET" && request.method !== "HEAD")
					return failure(
						403,
						`Changing this needs a token of the ServiceAccount lateen-operator for the audience lateen.dev/admin, in the header ${readerTokenHeader}.`,
					);
				return below();
			case "operator":
				return below();
		}
	};
}
