import { KubeError } from "../../kube/kube-error.ts";
import type { KubeResource } from "../../kube/resources.ts";

/** What keeps a kind from being read or written. */
export interface KubeProblem {
	/** As in a role: `leases.coordination.k8s.io`. */
	readonly resource: string;
	/** Full sentences: what is wrong, and what to do. */
	readonly message: string;
}

/** The problem of a kind, if there is one, as the admin API lists it. */
export function kubeProblem(
	{ group, plural }: KubeResource,
	problem: { readonly message: string } | undefined,
): readonly KubeProblem[] {
	if (problem === undefined) return [];
	const resource = group === "" ? plural : `${plural}.${group}`;
	return [{ resource, message: problem.message }];
}

/** An error as far as it can be told; undefined stays that. */
export function problemOf(
	error: unknown,
): { readonly message: string } | undefined {
	if (error === undefined) return undefined;
	return error instanceof KubeError ? error : { message: String(error) };
}
