import type { ExternalServiceSpec } from "../gen/crd/external-service.ts";
import type { ObjectBase } from "./metadata.ts";

export type {
	ExternalEndpoint,
	ExternalPort,
	ExternalServiceSpec,
	TlsOrigination,
} from "../gen/crd/external-service.ts";

/** A service outside the mesh that workloads call by name; defaults are filled in. */
export interface ExternalService extends ObjectBase<"ExternalService"> {
	readonly spec: ExternalServiceSpec;
}
