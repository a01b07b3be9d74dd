/*
 * May this object be stored?
 *
 *   request ─▶ goes away? ─▶ name, namespace ─▶ parseObject ─▶ preview ─▶ verdict
 *              let through                      violations     conflicts refuse,
 *                                               refuse         the rest warns
 */
import { refOf } from "../api/metadata.ts";
import { compareRefs, type ObjectRef, printRef } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";
import { parseObject } from "../api/parse-object.ts";
import { printTime } from "../api/status.ts";
import type { Violation } from "../api/violation.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { type Fields, isJsonObject, textOf } from "./json-object.ts";
import type { MeshPreview, PreviewedFinding } from "./mesh-preview.ts";
import type { AdmissionRequest } from "./review.ts";

/** What is answered to one question. */
export type Verdict =
	| { readonly allowed: true; readonly warnings: readonly string[] }
	| {
			readonly allowed: false;
			readonly about: ObjectRef;
			/** At least one. */
			readonly violations: readonly Violation[];
	  };

/** Kinds that are judged; others are none of our business, whoever registered us for them. */
const ourGroup = "lateen.dev/";

/**
 * Decides whether the API server may store an object.
 *
 * Guarantees: refuses exactly what `parseObject` refuses, with its words, and a claim on what another object owns; an
 *   object that is being deleted, and an update that leaves `spec` as it is, always go through, so that nothing that is
 *   stored already can get stuck.
 */
export function judge(
	request: AdmissionRequest,
	preview: MeshPreview,
	nowMs: number,
): Verdict {
	const { object, oldObject, operation, subResource } = request;
	if (object === undefined || operation === "DELETE" || subResource !== "")
		return allow([]);
	if (!textOf(object, "apiVersion").startsWith(ourGroup))
		return allow([
			"Lateen does not check objects of this kind. Take it out of the webhook's rules.",
		]);
	if (isGoing(object)) return allow([]);
	const parsed = parseObject(complete(object, request, nowMs));
	switch (parsed.kind) {
		case "ignored":
			return allow([
				`This version of Lateen does not know the kind ${parsed.kindName} and does not check it.`,
			]);
		case "invalid": {
			const { ref, violations } = parsed.invalid;
			return oldObject !== undefined && sameSpec(object, oldObject)
				? allow(violations.map(printProblem))
				: { allowed: false, about: ref, violations };
		}
		case "object":
			return judgeGood(parsed.object, preview);
	}
}

function judgeGood(object: ApiObject, preview: MeshPreview): Verdict {
	const findings = preview.findingsOf(object);
	if (findings === undefined)
		return allow([
			"Lateen has just started, so it did not check the object against others; see its status.",
		]);
	const about = refOf(object);
	const conflicts = findings.filter(
		(one) => one.reason === "Conflict" && one.isNew && isAbout(one, about),
	);
	if (conflicts.length > 0)
		return {
			allowed: false,
			about,
			violations: conflicts.map(({ path, message }) => ({ path, message })),
		};
	return allow(
		findings.map((one) =>
			isAbout(one, about)
				? printProblem(one)
				: `${printRef(one.about)}: ${printProblem(one)}`,
		),
	);
}

function isAbout(finding: PreviewedFinding, ref: ObjectRef): boolean {
	return compareRefs(finding.about, ref) === 0;
}

function allow(warnings: readonly string[]): Verdict {
	return { allowed: true, warnings };
}

function printProblem({
	path,
	message,
}: Pick<Violation, "path" | "message">): string {
	return path === "" ? message : `${path}: ${message}`;
}

/** Deletion waits for finalizers, and taking those out is an update. */
function isGoing(object: Fields): boolean {
	const { metadata } = object;
	return isJsonObject(metadata) && textOf(metadata, "deletionTimestamp") !== "";
}

function sameSpec(a: Fields, b: Fields): boolean {
	return deepEqual(a["spec"], b["spec"]);
}

/** The object with what the API server may not have written into it yet. */
function complete(
	object: Fields,
	{ name, namespace }: AdmissionRequest,
	nowMs: number,
): Fields {
	const metadata = isJsonObject(object["metadata"]) ? object["metadata"] : {};
	const generated = textOf(metadata, "generateName");
	return {
		...object,
		metadata: {
			...metadata,
			name:
				textOf(metadata, "name") ||
				name ||
				// The API server appends five such letters or digits.
				(generated === "" ? "" : `${generated}00000`),
			...(namespace !== "" && { namespace }),
			// Who is older has the better claim, and nothing is younger than what does not exist yet.
			...(textOf(metadata, "creationTimestamp") === "" && {
				creationTimestamp: printTime(nowMs),
			}),
		},
	};
}
