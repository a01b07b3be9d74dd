/*
 * The mutating webhook: the API server asks before it stores a new pod. docs/injection.md says which pods it is asked
 * about, and what becomes of them when nobody answers.
 */

import type { InjectionContext } from "../injector/context.ts";
import { inject } from "../injector/inject.ts";
import { jsonPatch } from "../injector/json-patch.ts";
import type { Clock } from "../lib/clock.ts";
import type { HttpHandler } from "../lib/handler.ts";
import type { Logger } from "../observability/logger.ts";
import {
	type MetricsRegistry,
	secondsBuckets,
} from "../observability/metrics.ts";
import { answerReviews } from "./answer-reviews.ts";
import { type Fields, isJsonObject, textOf } from "./json-object.ts";
import { printAnswer } from "./print-answer.ts";
import { printPatch } from "./print-patch.ts";
import type { AdmissionRequest } from "./review.ts";

/** Where the webhook answers. */
export const mutatePath = "/mutate";

/** What pods of a namespace are injected with; undefined while the Mesh has not been read. */
export type InjectionContexts = (
	namespace: string,
) => InjectionContext | undefined;

/** What the webhook works with. */
export interface InjectionParts {
	readonly contexts: InjectionContexts;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** Answers AdmissionReviews of pods. */
export function injectionApi(parts: InjectionParts): HttpHandler {
	const { contexts, logger } = parts;
	return answerReviews({
		...parts,
		path: mutatePath,
		seconds: parts.metrics.histogram(
			"lateen_injection_seconds",
			"Time to answer for one new pod, by result: injected, skipped, refused, ignored, unavailable or malformed.",
			secondsBuckets,
			["result"],
		),
		answer: (request) => {
			const { uid, object, namespace } = request;
			if (object === undefined || !isNewPod(request, object))
				return {
					body: printAnswer(uid, { allowed: true, warnings: [] }),
					result: "ignored",
				};
			const context = contexts(namespace);
			if (context === undefined)
				return {
					unavailable:
						"Lateen has just started and has not read the Mesh yet. Try again.",
				};
			const result = inject(object, context);
			if (result.kind === "refused") {
				logger.debug("A pod is refused.", {
					namespace,
					violations: result.violations.length,
				});
				return {
					body: printAnswer(
						uid,
						{
							allowed: false,
							about: { kind: "Pod", namespace, name: nameOf(object) },
							violations: result.violations,
						},
						"",
					),
					result: "refused",
				};
			}
			const warnings =
				result.kind === "skipped" && result.skip.reason !== "OptedOut"
					? [`Not injected: ${result.skip.message}`]
					: [];
			return {
				body: printPatch(uid, jsonPatch(object, result.pod), warnings),
				result: result.kind,
			};
		},
	});
}

function isNewPod(
	{ operation, subResource }: AdmissionRequest,
	object: Fields,
): boolean {
	return (
		operation === "CREATE" &&
		subResource === "" &&
		object["kind"] === "Pod" &&
		object["apiVersion"] === "v1"
	);
}

function nameOf(object: Fields): string {
	const { metadata } = object;
	if (!isJsonObject(metadata)) return "";
	return textOf(metadata, "name") || textOf(metadata, "generateName");
}
