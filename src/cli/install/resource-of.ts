import { type KubeResource, resourceOfKind } from "../../kube/resources.ts";
import type { Manifest } from "./manifest.ts";

const rbac = { group: "rbac.authorization.k8s.io", version: "v1" } as const;

/** Kinds that an installation has and the control plane never asks for. */
export const installResources = {
	ClusterRole: {
		...rbac,
		plural: "clusterroles",
		kind: "ClusterRole",
		isNamespaced: false,
	},
	ClusterRoleBinding: {
		...rbac,
		plural: "clusterrolebindings",
		kind: "ClusterRoleBinding",
		isNamespaced: false,
	},
	Deployment: {
		group: "apps",
		version: "v1",
		plural: "deployments",
		kind: "Deployment",
		isNamespaced: true,
	},
	NetworkPolicy: {
		group: "networking.k8s.io",
		version: "v1",
		plural: "networkpolicies",
		kind: "NetworkPolicy",
		isNamespaced: true,
	},
	PodDisruptionBudget: {
		group: "policy",
		version: "v1",
		plural: "poddisruptionbudgets",
		kind: "PodDisruptionBudget",
		isNamespaced: true,
	},
	PriorityClass: {
		group: "scheduling.k8s.io",
		version: "v1",
		plural: "priorityclasses",
		kind: "PriorityClass",
		isNamespaced: false,
	},
	Role: { ...rbac, plural: "roles", kind: "Role", isNamespaced: true },
	RoleBinding: {
		...rbac,
		plural: "rolebindings",
		kind: "RoleBinding",
		isNamespaced: true,
	},
} as const satisfies Readonly<Record<string, KubeResource>>;

/** Where an API server has the objects of a manifest's kind. */
export function resourceOf({ kind }: Pick<Manifest, "kind">): KubeResource {
	const found =
		Object.values(installResources).find((one) => one.kind === kind) ??
		resourceOfKind(kind);
	if (found === undefined)
		throw new Error(`there is no resource of the kind ${kind}`);
	return found;
}
