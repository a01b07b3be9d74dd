/*
 * One `LastGood` object: where it stands, and what it says.
 */
import { createHash } from "node:crypto";
import { isRecord } from "../api/fields.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";
import { contentOf } from "../store/content-of.ts";
import type { LastGood } from "../store/last-good.ts";
import {
	parseForm,
	parseVerdicts,
	printForm,
} from "../store/last-good-form.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ObjectPlace } from "./object-client.ts";

/** Both forms together, as JSON: leaves room for the rest below etcd's 1.5 MiB. */
const maxFormsLength = 1_000_000;

/** As the schema has it. */
const maxRefusals = 64;
const maxMessage = 4096;

/**
 * Where the last good form of an object is kept: beside it.
 *
 * @param ownNamespace where those of cluster-scoped objects are
 */
export function lastGoodPlaceOf(
	ref: ObjectRef,
	ownNamespace: string,
): ObjectPlace {
	return {
		namespace: ref.namespace === "" ? ownNamespace : ref.namespace,
		name: nameFor(ref),
	};
}

/** Whether an object stands there. */
export function isAtPlace({ metadata }: KubeObject, at: ObjectPlace): boolean {
	return metadata.namespace === at.namespace && metadata.name === at.name;
}

/** The object that a `LastGood` says it is about; undefined when it names none. */
export function lastGoodRefIn({ content }: KubeObject): ObjectRef | undefined {
	const { spec } = content;
	const object = isRecord(spec) ? spec["object"] : undefined;
	if (!isRecord(object)) return undefined;
	const { kind, namespace = "", name } = object;
	return typeof kind === "string" &&
		typeof namespace === "string" &&
		typeof name === "string"
		? { kind, namespace, name }
		: undefined;
}

/** What a `LastGood` says; undefined unless it stands where we would write it: whoever may write in one namespace speaks for no other. */
export function parseLastGood(
	object: KubeObject,
	ownNamespace: string,
): LastGood | undefined {
	const ref = lastGoodRefIn(object);
	const { spec } = object.content;
	if (ref === undefined || !isRecord(spec)) return undefined;
	if (!isAtPlace(object, lastGoodPlaceOf(ref, ownNamespace))) return undefined;
	const valid = parseForm(spec["valid"], ref);
	return {
		ref,
		valid,
		proven:
			spec["validIsProven"] === true ? valid : parseForm(spec["proven"], ref),
		...parseVerdicts(spec),
	};
}

/** The `spec` that says it, cut to what the API server takes. */
export function printLastGood({
	ref,
	valid,
	proven,
	refusals,
	accepted = [],
}: LastGood): Readonly<Record<string, unknown>> {
	const validIsProven =
		valid !== undefined &&
		proven !== undefined &&
		contentOf(valid) === contentOf(proven);
	const isRefused =
		valid !== undefined &&
		refusals.some(({ content }) => content === contentOf(valid));
	const forms = {
		...(valid && { valid: printForm(valid) }),
		...(proven && !validIsProven && { proven: printForm(proven) }),
	};
	return {
		object: {
			kind: ref.kind,
			...(ref.namespace !== "" && { namespace: ref.namespace }),
			name: ref.name,
		},
		...(JSON.stringify(forms).length <= maxFormsLength
			? forms
			: inForce(isRefused ? proven : valid, isRefused)),
		...(validIsProven && { validIsProven }),
		refusals: refusals.slice(-maxRefusals).map((one) => ({
			content: one.content.slice(0, 64),
			software: one.software.slice(0, 256),
			proxy: one.proxy.slice(0, 512),
			message: one.message.slice(0, maxMessage),
			...(one.isConfirmed === true && { isConfirmed: true }),
		})),
		...(accepted.length > 0 && {
			accepted: accepted.slice(-maxRefusals).map((one) => ({
				content: one.content.slice(0, 64),
				software: one.software.slice(0, 256),
			})),
		}),
	};
}

/** Where there is no room for both, the one that proxies have. */
function inForce(
	form: ApiObject | undefined,
	isProven: boolean,
): Readonly<Record<string, unknown>> {
	if (form === undefined) return {};
	return { [isProven ? "proven" : "valid"]: printForm(form) };
}

/** `routerule.reviews`; of bounded length, as an object's own name may be as long as a name can be. */
function nameFor({ kind, name }: ObjectRef): string {
	const whole = `${kind.toLowerCase()}.${name}`;
	if (whole.length <= 253) return whole;
	const hash = createHash("sha256").update(name).digest("hex").slice(0, 16);
	return `${whole.slice(0, 230).replace(/[^a-z0-9]+$/, "")}.${hash}`;
}
