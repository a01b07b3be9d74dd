import type { Part } from "../programs/parts.ts";
import type { Workload } from "./workloads.ts";

/** What the demo stands on: where its objects are, and how its proxies prove who they are. */
export interface Ground {
	/** Where sidecars accept calls: the address in the EndpointSlices. */
	readonly address: string;
	/** Starts the control plane on the objects in a folder, and answers when it serves. */
	serve(files: string): Promise<Part>;
	/** The flags of `lateen bootstrap` by which a sidecar proves who it is; `out` is for files of its own. */
	sidecarProof(workload: Workload, out: string): Promise<readonly string[]>;
	/** The same for the gateway of this name. */
	gatewayProof(gateway: string, out: string): Promise<readonly string[]>;
	/** Makes what was changed in the folder count. */
	publish(): Promise<void>;
}
