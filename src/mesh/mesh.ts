import type { Endpoint } from "./endpoint.ts";
import type { RouteTable } from "./route.ts";
import type { Hostname, Service } from "./service.ts";
import type { Subset } from "./subset.ts";
import type { Workload } from "./workload.ts";

/** What holds for the whole mesh, from the Mesh object `default` or its defaults. */
export interface MeshOptions {
	readonly trustDomain: string;
	/** Suffix of Service names, `cluster.local` by default. */
	readonly clusterDomain: string;
	readonly rootNamespace: string;
	/** What happens with calls to hosts that the mesh does not know. */
	readonly outboundTraffic: "AllowAny" | "RegistryOnly";
}

/** Facts about callers that some rule asks for; proxies that agree on them share their configuration. */
export interface CallerFacts {
	/** Keys of labels. */
	readonly labelKeys: ReadonlySet<string>;
	/** Hostnames of services that callers serve. */
	readonly services: ReadonlySet<Hostname>;
	/** Whether some rule asks for the identity of the caller. */
	readonly identity: boolean;
}

/**
 * The immutable model of everything that proxies are configured from.
 *
 * Whatever did not change since the previous build is the same reference as in
 * the previous mesh: each map as a whole, and each value in it. So "did it
 * change?" is `!==`, at every depth.
 */
export interface Mesh {
	readonly options: MeshOptions;
	readonly services: ReadonlyMap<Hostname, Service>;
	/** Endpoints of each service that lists any, in order of address. */
	readonly endpoints: ReadonlyMap<Hostname, readonly Endpoint[]>;
	/** Ways in which some rule, or the default route (name ""), calls each service. Every service has the one named "". */
	readonly subsets: ReadonlyMap<Hostname, readonly Subset[]>;
	/** By `hostname:port`; every port of every service has one. */
	readonly routes: ReadonlyMap<string, RouteTable>;
	/**
	 * By gateway (`namespace/name`): one table of all its rules, whatever their
	 * destination, in the one total order. Its hostname is the gateway's name and its port 0.
	 */
	readonly gateways: ReadonlyMap<string, RouteTable>;
	/** By `namespace/name` of the Pod. */
	readonly workloads: ReadonlyMap<string, Workload>;
	readonly callerFacts: CallerFacts;
}

/** The key of a port's route table. */
export function routeTableKey(hostname: Hostname, port: number): string {
	return `${hostname}:${port}`;
}
