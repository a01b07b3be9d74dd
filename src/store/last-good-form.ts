import { isRecord } from "../api/fields.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";
import { parseObject } from "../api/parse-object.ts";
import type { KeptAcceptance, KeptRefusal, LastGood } from "./last-good.ts";
import { refKey } from "./ref-key.ts";

const apiVersion = "lateen.dev/v1alpha1";

/** One of our own objects as a manifest, so that it is parsed like any other when it is read again. */
export function printForm(
	object: ApiObject,
): Readonly<Record<string, unknown>> {
	const { namespace, name, uid, labels, annotations, generation, createdMs } =
		object.metadata;
	return {
		apiVersion,
		...object,
		metadata: {
			...(namespace !== "" && { namespace }),
			name,
			...(uid !== undefined && { uid }),
			labels,
			annotations: withoutCopy(annotations),
			generation,
			...(createdMs > 0 && {
				creationTimestamp: new Date(createdMs).toISOString(),
			}),
		},
	};
}

/** kubectl notes the whole object in it, which would double the size of what is kept. */
function withoutCopy(
	annotations: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
	const { "kubectl.kubernetes.io/last-applied-configuration": _, ...rest } =
		annotations;
	return rest;
}

/** The form again; undefined when it cannot be used, or is another object's. */
export function parseForm(
	value: unknown,
	ref: ObjectRef,
): ApiObject | undefined {
	const parsed = parseObject(value);
	if (parsed.kind !== "object") return undefined;
	const { kind, metadata } = parsed.object;
	return refKey({ ...metadata, kind }) === refKey(ref)
		? parsed.object
		: undefined;
}

/** What proxies said of forms, as it was written; what makes no sense is left out. */
export function parseVerdicts(
	value: Readonly<Record<string, unknown>>,
): Pick<LastGood, "refusals" | "accepted"> {
	const { refusals, accepted } = value;
	return {
		refusals: Array.isArray(refusals) ? refusals.flatMap(parseRefusal) : [],
		...(Array.isArray(accepted) && {
			accepted: accepted.flatMap(parseAcceptance),
		}),
	};
}

function parseRefusal(value: unknown): readonly KeptRefusal[] {
	if (!isRecord(value)) return [];
	const { content, software, proxy, message, isConfirmed } = value;
	if (
		typeof content !== "string" ||
		typeof software !== "string" ||
		typeof proxy !== "string" ||
		typeof message !== "string"
	)
		return [];
	const refusal = { content, software, proxy, message };
	return [isConfirmed === true ? { ...refusal, isConfirmed } : refusal];
}

function parseAcceptance(value: unknown): readonly KeptAcceptance[] {
	if (!isRecord(value)) return [];
	const { content, software } = value;
	return typeof content === "string" && typeof software === "string"
		? [{ content, software }]
		: [];
}
