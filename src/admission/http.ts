/*
 * The validating webhook: the API server asks before it stores an object of ours. docs/admission.md says what it is asked
 * about, and why nothing stops when nobody answers.
 */
import { printRef } from "../api/object-ref.ts";
import type { Clock } from "../lib/clock.ts";
import type { HttpHandler } from "../lib/handler.ts";
import type { Logger } from "../observability/logger.ts";
import {
	type MetricsRegistry,
	secondsBuckets,
} from "../observability/metrics.ts";
import { answerReviews } from "./answer-reviews.ts";
import { judge } from "./judge.ts";
import type { MeshPreview } from "./mesh-preview.ts";
import { printAnswer } from "./print-answer.ts";

/** Where the webhook answers. */
export const validatePath = "/validate";

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
export function admissionApi(parts: AdmissionParts): HttpHandler {
	const { preview, clock, logger } = parts;
	return answerReviews({
		...parts,
		path: validatePath,
		seconds: parts.metrics.histogram(
			"lateen_admission_seconds",
			"Time to answer whether one object is valid, by result: allowed, refused or malformed.",
			secondsBuckets,
			["result"],
		),
		answer: (request) => {
			const verdict = judge(request, preview, clock.nowMs());
			if (!verdict.allowed)
				logger.debug("An object is refused.", {
					object: printRef(verdict.about),
					operation: request.operation,
					violations: verdict.violations.length,
				});
			return {
				body: printAnswer(request.uid, verdict),
				result: verdict.allowed ? "allowed" : "refused",
			};
		},
	});
}
