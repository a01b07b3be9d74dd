/*
 * The validating webhook: the API server asks before it stores an object of ours. docs/admission.md says what it is asked
 * about, and why nothing stops when nobody answers.
 */
import { printRef } from "../api/object-ref.ts";
import type { Clock } from "../lib/clock.ts";
import type { HttpHandler, HttpResponse } from "../lib/handler.ts";
import type { Logger } from "../observability/logger.ts";
import {
	type MetricsRegistry,
	secondsBuckets,
} from "../observability/metrics.ts";
import { judge } from "./judge.ts";
import type { MeshPreview } from "./mesh-preview.ts";
import { printAnswer } from "./print-answer.ts";
import { parseReview } from "./review.ts";

/** Where the webhook answers. */
export const validatePath = "/validate";

/** Largest review in bytes: an object of 1.5 MiB, which is what etcd takes, as it is and as it was, and who asks. */
export const maxReviewBytes = 4 * 1024 * 1024;

/** What the webhook works with. */
export interface AdmissionParts {
	readonly preview: MeshPreview;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/**
 * Answers AdmissionReviews.
 *
 * Guarantees: a question that can be read is answered with status 200, whether refused or not; nothing of what
 *   an object holds reaches the log.
 */
export function admissionApi({
	preview,
	clock,
	logger,
	metrics,
}: AdmissionParts): HttpHandler {
	const seconds = metrics.histogram(
		"lateen_admission_seconds",
		"Time to answer one AdmissionReview, by result (allowed, refused or malformed).",
		secondsBuckets,
	);
	return async ({ method, path, body }) => {
		if (path !== validatePath)
			return failure(404, `There is only ${validatePath} here.`);
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
		const { request } = parsed;
		const verdict = judge(request, preview, clock.nowMs());
		if (!verdict.allowed)
			logger.debug("An object is refused.", {
				object: printRef(verdict.about),
				operation: request.operation,
				violations: verdict.violations.length,
			});
		const answer = printAnswer(request.uid, verdict);
		took(verdict.allowed ? "allowed" : "refused");
		return {
			status: 200,
			headers: { "content-type": "application/json" },
			body: answer,
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
