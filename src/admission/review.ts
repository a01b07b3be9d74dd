import type { Fields } from "./json-object.ts";
import { isJsonObject, textOf } from "./json-object.ts";

/** What the API server asks: may this be done to this object? (`admission.k8s.io/v1`, AdmissionRequest) */
export interface AdmissionRequest {
	/** To be said again in the answer. */
	readonly uid: string;
	readonly operation: Operation;
	/** Empty for the object itself. */
	readonly subResource: string;
	/** Empty for cluster-scoped kinds. */
	readonly namespace: string;
	/** May be empty when the API server is to make up a name. */
	readonly name: string;
	/** The new form; undefined for DELETE and CONNECT. */
	readonly object: Fields | undefined;
	/** The form that is stored now; undefined for CREATE and CONNECT. */
	readonly oldObject: Fields | undefined;
}

const operations = ["CREATE", "UPDATE", "DELETE", "CONNECT"] as const;

/** What is to be done to the object. */
export type Operation = (typeof operations)[number];

/** A question, or in one sentence why it is none. */
export type ParsedReview =
	| { readonly ok: true; readonly request: AdmissionRequest }
	| { readonly ok: false; readonly problem: string };

const apiVersion = "admission.k8s.io/v1";

/** Reads an AdmissionReview; never throws, and never says what an object holds. */
export function parseReview(body: Uint8Array): ParsedReview {
	const review = parseJson(body);
	if (review === undefined) return refuse("The body is not JSON in UTF-8.");
	if (!isJsonObject(review) || review["kind"] !== "AdmissionReview")
		return refuse("The body is not an AdmissionReview.");
	if (review["apiVersion"] !== apiVersion)
		return refuse(`Only AdmissionReview of ${apiVersion} is understood.`);
	const { request } = review;
	if (!isJsonObject(request))
		return refuse("The AdmissionReview has no request.");
	const uid = textOf(request, "uid");
	if (uid === "") return refuse("The request has no uid.");
	const operation = operations.find((one) => one === request["operation"]);
	if (operation === undefined)
		return refuse(`The operation is none of ${operations.join(", ")}.`);
	const object = objectOf(request["object"]);
	if (
		object === undefined &&
		(operation === "CREATE" || operation === "UPDATE")
	)
		return refuse(`The request is to ${operation} and has no object.`);
	return {
		ok: true,
		request: {
			uid,
			operation,
			subResource: textOf(request, "subResource"),
			namespace: textOf(request, "namespace"),
			name: textOf(request, "name"),
			object,
			oldObject: objectOf(request["oldObject"]),
		},
	};
}

function parseJson(body: Uint8Array): unknown {
	try {
		return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
	} catch {
		// The error would quote the body, which may hold anything; the caller's sentence says enough.
		return undefined;
	}
}

function objectOf(value: unknown): Fields | undefined {
	return isJsonObject(value) ? value : undefined;
}

function refuse(problem: string): ParsedReview {
	return { ok: false, problem };
}
