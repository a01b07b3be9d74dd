import type { PatchOperation } from "../injector/json-patch.ts";
import { warningsOf } from "./print-answer.ts";

/** An AdmissionReview that allows an object with these changes. */
export function printPatch(
	uid: string,
	patch: readonly PatchOperation[],
	warnings: readonly string[],
): string {
	return JSON.stringify({
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		response: {
			uid,
			allowed: true,
			...(patch.length > 0 && {
				patchType: "JSONPatch",
				patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
			}),
			...warningsOf(warnings),
		},
	});
}
