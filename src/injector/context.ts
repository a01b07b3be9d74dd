import type { InjectionSpec } from "../api/mesh.ts";
import type { Json } from "./json.ts";

/** What injection depends on besides the pod. */
export interface InjectionContext {
	/** Of this program; becomes the value of a label. */
	readonly version: string;
	/** Of the pod; what its own metadata says is not asked, as it may be missing there. */
	readonly namespace: string;
	/** Of the control plane, whose pods are never injected. */
	readonly ownNamespace: string;
	readonly settings: InjectionSettings;
	/** What the API server, and so every kubelet of the cluster, can do. */
	readonly kubernetes: KubernetesAbilities;
	/** Makes Envoy's bootstrap, with the variables of `pod-variables.ts` where it names the pod. */
	readonly makeBootstrap: MakeBootstrap;
}

/** `spec.injection` of the Mesh, and the image of the installation where it names none. */
export type InjectionSettings = InjectionSpec & { readonly proxyImage: string };

/** What depends on the version of Kubernetes. */
export interface KubernetesAbilities {
	/** Init containers with `restartPolicy: Always`: 1.29 and later. */
	readonly nativeSidecars: boolean;
	/** Hooks that sleep, without a program: 1.30 and later. */
	readonly sleepHooks: boolean;
}

/** Makes the bootstrap of a captured sidecar. */
export type MakeBootstrap = (input: {
	/** `namespace/name` of the pod. */
	readonly workload: string;
	readonly maxHeapBytes?: number;
	/** Envoy ends connections that nobody uses once this file says `1`. */
	readonly drainFile?: string;
	readonly adminPort: number;
	readonly server: { readonly host: string; readonly port: number };
	readonly tokenFile: string;
	readonly tokenSdsFile: string;
	readonly caFile: string;
	readonly caSdsFile: string;
}) => Json;
