import { type ReaderVerdict, readersOnly } from "../../admin/reader-gate.ts";
import type { TokenReviewer } from "../../kube/token-review.ts";
import type { HttpHandler } from "../../lib/handler.ts";

/** For whom the tokens of readers must be meant: a proxy's token, or one for the API server, opens nothing here. */
export const readerAudience = "lateen.dev/admin";

/** The ServiceAccount whose tokens open the admin API; whoever may make them may read. */
export const readerAccount = "lateen-reader";

/** The ServiceAccount whose tokens also change levels of the log. */
export const operatorAccount = "lateen-operator";

/** The admin API for those who bring a token of the readers' or operators' ServiceAccount in this namespace. */
export function readersHandler(
	admin: HttpHandler,
	tokens: Pick<TokenReviewer, "review">,
	namespace: string,
): HttpHandler {
	return readersOnly(admin, async (token): Promise<ReaderVerdict> => {
		const verdict = await tokens.review(token);
		if ("unavailable" in verdict)
			return { is: "unknown", why: verdict.unavailable };
		if ("refusal" in verdict) return { is: "stranger" };
		const { owner } = verdict;
		if (owner.namespace !== namespace) return { is: "stranger" };
		switch (owner.serviceAccount) {
			case readerAccount:
				return { is: "reader" };
			case operatorAccount:
				return { is: "operator" };
			default:
				return { is: "stranger" };
		}
	});
}

/** The handler for paths below `/v1/`, and another for all else: both share a port. */
export function besideReaders(
	readers: HttpHandler,
	other: HttpHandler,
): HttpHandler {
	return (request, signal) =>
		request.path.startsWith("/v1/")
			? readers(request, signal)
			: other(request, signal);
}
