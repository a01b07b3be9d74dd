import type { Clock } from "../lib/clock.ts";
import type { HttpHandler, HttpResponse } from "../lib/handler.ts";
import type { Logger } from "../observability/logger.ts";
import type { Histogram } from "../observability/metrics.ts";
import { type AdmissionRequest, parseReview } from "./review.ts";

/** Largest review in bytes: an object of 1.5 MiB, which is what etcd takes, as it is and as it was, and who asks. */
export const maxReviewBytes = 4 * 1024 * 1024;

/** A webhook but for what it answers. */
export interface ReviewParts {
	/** Where it answers. */
	readonly path: string;
	/** What answers take, by result. */
	readonly seconds: Histogram<"result">;
	readonly clock: Clock;
	readonly logger: Logger;
	/** The answer, or in a sentence why there is none yet. */
	readonly answer: (request: AdmissionRequest) => Answered | Unanswered;
}

/** An AdmissionReview with an answer. */
export interface Answered {
	readonly body: string;
	/** One word for the histogram. */
	readonly result: string;
}

/** Nothing can be said now; the API server does what its `failurePolicy` says. */
export interface Unanswered {
	readonly unavailable: string;
}

/**
 * Answers AdmissionReviews.
 *
 * Guarantees: nothing of what an object holds reaches the log.
 */
export function answerReviews(parts: ReviewParts): HttpHandler {
	const { path: own, seconds, clock, logger, answer } = parts;
	return async ({ method, path, body }) => {
		if (path !== own) return failure(404, `There is only ${own} here.`);
		if (method !== "POST")
			return failure(405, "AdmissionReviews are sent by POST.", {
				allow: "POST",
			});
		if (body.length > maxReviewBytes)
			return failure(
				413,
				`The AdmissionReview is larger than ${maxReviewBytes} bytes.`,
			);
		const startMs = clock.monotonicMs();
		const took = (result: string): void =>
			seconds.observe((clock.monotonicMs() - startMs) / 1000, { result });
		const parsed = parseReview(body);
		if (!parsed.ok) {
			took("malformed");
			logger.warn("An AdmissionReview cannot be understood.", {
				problem: parsed.problem,
			});
			return failure(400, parsed.problem);
		}
		const answered = answer(parsed.request);
		if ("unavailable" in answered) {
			took("unavailable");
			return failure(503, answered.unavailable);
		}
		took(answered.result);
		return {
			status: 200,
			headers: { "content-type": "application/json" },
			body: answered.body,
		};
	};
}

function failure(
	status: number,
	sentence: string,
	headers: Readonly<Record<string, string>> = {},
): HttpResponse {
	return {
		status,
		headers: { "content-type": "text/plain; charset=utf-8", ...headers },
		body: `${sentence}\n`,
	};
}
