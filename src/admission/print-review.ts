/**
 * An AdmissionReview with the answer to the question of this uid.
 *
 * @param response what `AdmissionResponse` has besides: https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#response
 */
export function printReview(
	uid: string,
	response: { readonly allowed: boolean } & Readonly<Record<string, unknown>>,
): string {
	return JSON.stringify({
		apiVersion: "admission.k8s.io/v1",
		kind: "AdmissionReview",
		response: { uid, ...response },
	});
}
