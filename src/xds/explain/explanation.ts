import type { ObjectRef } from "../../api/object-ref.ts";
import type { Condition } from "./condition.ts";
import type { DomainMatch } from "./match-domain.ts";

/** The way of one request through the configuration of one proxy. */
export interface Explanation {
	/** The request as the proxy gets it. */
	readonly request: SeenRequest;
	readonly listener: ListenerStep | undefined;
	/** Absent when the connection is not taken apart into requests. */
	readonly virtualHost: VirtualHostStep | undefined;
	/** Routes in the order in which they were tried; the last one is taken, if any is. */
	readonly tried: readonly RouteTry[];
	/** Names of the routes after the one that is taken. */
	readonly untried: readonly string[];
	readonly outcome: Outcome;
	/** Whether somebody can answer the request: an endpoint, or the proxy because a rule says so. */
	readonly answered: boolean;
	/** What a person should know besides, as full sentences. */
	readonly notes: readonly string[];
}

/** A request line and its headers; of a connection that is not HTTP, just the authority. */
export interface SeenRequest {
	/** Empty for a connection that is not HTTP. */
	readonly method: string;
	readonly authority: string;
	/** Path and query. */
	readonly path: string;
	readonly headers: readonly (readonly [name: string, value: string])[];
}

/** What takes the connection. */
export interface ListenerStep {
	readonly name: string;
	/** `address:port`. */
	readonly address: string;
	readonly filterChain: string;
	readonly protocol: "http" | "tcp";
	readonly origins: readonly ObjectRef[];
}

/** What takes the authority. */
export interface VirtualHostStep {
	/** Name of the route configuration. */
	readonly routes: string;
	readonly name: string;
	readonly domain: string;
	readonly match: DomainMatch<unknown>["kind"];
	readonly origins: readonly ObjectRef[];
}

/** One route, held against the request. */
export interface RouteTry {
	readonly name: string;
	/** The object that it comes from; undefined for what holds without a rule. */
	readonly origin: ObjectRef | undefined;
	/** Index in the object's `spec.match`. */
	readonly branch: number | undefined;
	readonly taken: boolean;
	readonly conditions: readonly Condition[];
}

/** What becomes of the request. */
export type Outcome =
	| Forward
	| {
			readonly kind: "redirect";
			readonly status: number;
			readonly location: string;
	  }
	| {
			readonly kind: "respond";
			readonly status: number;
			readonly body: string;
	  }
	/** The proxy has no answer of its own choosing: it closes the connection, or says 404. */
	| { readonly kind: "refused"; readonly reason: string };

/** The request or connection goes to one of these. */
export interface Forward {
	readonly kind: "forward";
	readonly targets: readonly TargetStep[];
	/** Milliseconds; 0: none. */
	readonly timeoutMs: number;
	readonly idleTimeoutMs: number | undefined;
	readonly retries: RetriesStep | undefined;
	/** Set when a rule injects faults. */
	readonly fault: FaultStep | undefined;
	readonly mirrors: readonly {
		readonly cluster: string;
		readonly percent: number;
	}[];
	/** What requests are hashed by, as clauses. */
	readonly affinity: readonly string[];
	/** The browser's questions about other origins are answered by the proxy. */
	readonly cors: boolean;
	readonly responseHeaders: HeaderSteps;
}

/** Retries of a route. */
export interface RetriesStep {
	readonly attempts: number;
	readonly on: readonly string[];
	readonly perTryTimeoutMs: number | undefined;
}

/** Faults of a route; percents are 0–100. */
export interface FaultStep {
	readonly delay: { readonly percent: number; readonly ms: number } | undefined;
	readonly abort:
		| { readonly percent: number; readonly status: string }
		| undefined;
}

/** Changes to headers, in the order in which they are made. */
export type HeaderSteps = readonly {
	readonly op: "set" | "add" | "remove";
	readonly name: string;
	readonly value: string;
}[];

/** One of the clusters that a request may go to. */
export interface TargetStep extends ClusterStep {
	/** Share of the requests, 0–100. */
	readonly percent: number;
	/** The request as an endpoint of this cluster gets it; what every proxy adds by itself (request ids and the like) is left out. */
	readonly request: SeenRequest;
}

/** A cluster and who is in it. */
export interface ClusterStep {
	readonly cluster: string;
	/** False when the proxy has no such cluster. */
	readonly known: boolean;
	/** Set for the cluster of a service. */
	readonly service:
		| {
				readonly hostname: string;
				readonly port: number;
				/** As in the name of the cluster: labels, then settings. */
				readonly subset: string;
				readonly labels: Readonly<Record<string, string>>;
		  }
		| undefined;
	/** How the proxy finds the addresses. */
	readonly discovery: "listed" | "dns" | "asked for" | "none";
	readonly endpoints: readonly EndpointStep[];
	readonly origins: readonly ObjectRef[];
}

/** One endpoint. */
export interface EndpointStep {
	/** `address:port`. */
	readonly address: string;
	readonly health: "healthy" | "draining" | "unhealthy";
	readonly weight: number;
	/** `region/zone`; empty when unknown. */
	readonly locality: string;
}
