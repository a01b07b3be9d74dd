import type { PatchOperation } from "../injector/json-patch.ts";
import { warningsOf } from "./print-answer.ts";
import { printReview } from "./print-review.ts";

/** An AdmissionReview that allows an object with these changes. */
export function printPatch(
	uid: string,
	patch: readonly PatchOperation[],
	warnings: readonly string[],
): string {
	return printReview(uid, {
		allowed: true,
		...(patch.length > 0 && {
			patchType: "JSONPatch",
			patch: Buffer.from(JSON.stringify(patch)).toString("base64"),
		}),
		...warningsOf(warnings),
	});
}
