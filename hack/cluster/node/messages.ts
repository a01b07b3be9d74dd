import type { NodePrograms } from "../../ensure-kubernetes.ts";
import type { ControlPlaneOptions } from "../control-plane.ts";

/** What the holder of a node wants of the process inside of it. */
export type HostRequest =
	| {
			/** Comes with the server, outside, whose connections the API server gets. */
			readonly kind: "start";
			readonly dir: string;
			readonly apiPort: number;
			/** Of the cgroup for everything. */
			readonly name: string;
			readonly programs: NodePrograms;
			/** Folder of the CNI plugins. */
			readonly plugins: string;
			readonly options: ControlPlaneOptions;
	  }
	| { readonly kind: "stop" };

/** What it answers, or says by itself. */
export type HostAnswer =
	| { readonly kind: "relaying" }
	| {
			readonly kind: "ready";
			readonly kubeconfig: string;
			readonly server: string;
			readonly auditLog: string;
	  }
	| { readonly kind: "crashed"; readonly why: string };
