import type { HttpRequest } from "../../src/lib/handler.ts";

/** A request to a webhook, as the API server sends it. */
export function admissionRequest(
	path: string,
	body: string | Uint8Array,
	method = "POST",
): HttpRequest {
	return {
		method,
		path,
		query: new URLSearchParams(),
		headers: new Map(),
		body: Buffer.from(body),
		peer: { address: "192.0.2.1", bearerToken: undefined },
	};
}

/** An AdmissionReview that asks whether an object may be created in the namespace `shop`, unless it is said otherwise. */
export function admissionReview(
	request: Readonly<Record<string, unknown>>,
): string {
	return JSON.stringify({
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		request: { uid: "u-1", operation: "CREATE", namespace: "shop", ...request },
	});
}
