/** Where a workload runs, as Envoy's locality. */
export interface Locality {
	readonly region: string;
	readonly zone: string;
}

/** Address of one workload for one service. */
export interface Endpoint {
	/** IP address, or a DNS name when the service's resolution is `dns`. */
	readonly address: string;
	/** Number of the service's port → port to connect to; a port that is missing is not served here. */
	readonly ports: ReadonlyMap<number, number>;
	/** Labels of the workload, by which subsets choose. */
	readonly labels: Readonly<Record<string, string>>;
	/** `draining`: finishes what it has, gets nothing new. */
	readonly health: "healthy" | "draining";
	readonly locality: Locality;
	/** Relative to the other endpoints of the service; at least 1. */
	readonly weight: number;
	/** Key of the workload (`namespace/name`) when it is known. */
	readonly workload: string | undefined;
}
