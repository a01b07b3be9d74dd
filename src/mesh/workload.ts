import type { Locality } from "./endpoint.ts";
import type { Hostname, Protocol } from "./service.ts";

/** A port on which a workload is called. */
export interface InboundPort {
	/** Port of the workload itself (a Service's target port). */
	readonly port: number;
	readonly protocol: Protocol;
}

/** One running copy of an application with an identity. */
export interface Workload {
	/** `namespace/name` of its Pod. */
	readonly key: string;
	readonly namespace: string;
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly serviceAccount: string;
	/** SPIFFE ID: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`. */
	readonly identity: string;
	readonly ips: readonly string[];
	readonly locality: Locality;
	/** Services that it serves, in order. */
	readonly services: readonly Hostname[];
	/** In order of their numbers. */
	readonly inbound: readonly InboundPort[];
}
