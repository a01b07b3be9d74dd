import type { ObjectRef } from "../api/object-ref.ts";
import type { Hostname } from "./service.ts";
import type { StringMatch } from "./string-match.ts";
import type { Subset } from "./subset.ts";

/** What a rule asks of the caller. Decided per proxy scope, never by Envoy. */
export interface SourceMatch {
	/** Hostname of a Service that the caller serves. */
	readonly service?: Hostname;
	readonly namespace?: string;
	readonly labels: Readonly<Record<string, string>>;
	/** SPIFFE ID of the caller. */
	readonly identity?: StringMatch;
}

/** What a rule asks of an HTTP request; every part must hold. */
export interface HttpMatch {
	readonly path?: StringMatch;
	readonly method?: StringMatch;
	readonly scheme?: StringMatch;
	readonly authority?: StringMatch;
	readonly headers: readonly (readonly [name: string, match: StringMatch])[];
	readonly query: readonly (readonly [name: string, match: StringMatch])[];
}

/** What a rule asks of a connection. */
export interface TcpMatch {
	/** CIDRs. */
	readonly sourceSubnets: readonly string[];
	/** CIDRs. */
	readonly destinationSubnets: readonly string[];
	/** Server names of the TLS hello; `*.example.com` too. */
	readonly sni: readonly string[];
}

/** Faults injected on purpose; percents are 0–100. */
export interface Fault {
	readonly delay?: { readonly percent: number; readonly durationMs: number };
	readonly abort?: {
		readonly percent: number;
		readonly status:
			| { readonly kind: "http"; readonly code: number }
			| { readonly kind: "grpc"; readonly code: number };
	};
}

/** Changes to headers on their way. */
export interface HeaderChanges {
	readonly set: Readonly<Record<string, string>>;
	readonly add: Readonly<Record<string, string>>;
	readonly remove: readonly string[];
}

/** Changes to the headers of requests and responses. */
export interface HeaderMutations {
	readonly request: HeaderChanges;
	readonly response: HeaderChanges;
}

/** One cluster: a port and subset of a service. */
export interface ClusterRef {
	readonly hostname: Hostname;
	readonly port: number;
	readonly subset: Subset;
}

/** Where a share of the traffic goes. */
export interface Target {
	/** Undefined when what the rule names does not exist: this share is answered with 503. */
	readonly cluster: ClusterRef | undefined;
	/** Relative; at least one target of a rule has more than 0. */
	readonly weight: number;
	readonly headers?: HeaderMutations;
}

/** A copy of the traffic whose answers are thrown away. */
export interface Mirror {
	readonly cluster: ClusterRef;
	readonly percent: number;
}

/** Change of the request's path or authority before it is forwarded. */
export interface Rewrite {
	readonly path?:
		| { readonly kind: "full"; readonly path: string }
		| { readonly kind: "prefix"; readonly prefix: string }
		| {
				readonly kind: "regex";
				readonly pattern: string;
				readonly replacement: string;
		  };
	readonly authority?: string;
}

/** When and how often a failed request is tried again. */
export interface Retries {
	/** Tries after the first. 0 turns retries off. */
	readonly attempts: number;
	readonly perTryTimeoutMs?: number;
	/** Envoy `retry_on` conditions. */
	readonly on: readonly string[];
	readonly backoff?: { readonly baseMs: number; readonly maxMs?: number };
	/** Prefers endpoints that have not been tried. */
	readonly retryOtherHosts: boolean;
}

/** What requests are hashed by, first that applies. */
export type AffinityKey =
	| { readonly kind: "header"; readonly name: string }
	| {
			readonly kind: "cookie";
			readonly name: string;
			/** Envoy makes the cookie itself when this is given; 0 makes a session cookie. */
			readonly ttlMs?: number;
			readonly path?: string;
	  }
	| { readonly kind: "query"; readonly name: string }
	| { readonly kind: "sourceIP" };

/** Cross-origin requests that browsers may make. */
export interface Cors {
	readonly allowOrigins: readonly StringMatch[];
	readonly allowMethods: readonly string[];
	readonly allowHeaders: readonly string[];
	readonly exposeHeaders: readonly string[];
	readonly maxAgeMs?: number;
	readonly allowCredentials: boolean;
}

/** What happens with what matches. */
export type Action =
	| {
			readonly kind: "forward";
			/** Not empty. */
			readonly targets: readonly Target[];
			readonly mirrors: readonly Mirror[];
			readonly rewrite?: Rewrite;
			/** 0 turns the timeout off; absent means the mesh's default. */
			readonly timeoutMs?: number;
			readonly idleTimeoutMs?: number;
			readonly retries?: Retries;
			readonly affinity: readonly AffinityKey[];
			/** `websocket`, `connect`. */
			readonly upgrades: readonly string[];
	  }
	| {
			readonly kind: "redirect";
			readonly code: 301 | 302 | 303 | 307 | 308;
			readonly scheme?: string;
			readonly authority?: string;
			readonly port?: number;
			readonly path?:
				| { readonly kind: "full"; readonly path: string }
				| { readonly kind: "prefix"; readonly prefix: string };
	  }
	| { readonly kind: "respond"; readonly status: number; readonly body: string }
	/** Nothing that the rule names exists: every request is answered with 503 and this sentence. */
	| { readonly kind: "unresolved"; readonly message: string };

/** One alternative of a rule's `match`; a rule without `match` has one that takes everything. */
export interface Branch {
	/** Index in `spec.match`; 0 also when there is none. */
	readonly index: number;
	readonly source?: SourceMatch;
	/** Number of the port that it is limited to. */
	readonly port?: number;
	readonly http?: HttpMatch;
	readonly tcp?: TcpMatch;
	/** Instead of the rule's own fault. */
	readonly fault?: Fault;
}

/** A RouteRule as it applies to one port of one service. */
export interface Rule {
	readonly origin: ObjectRef;
	/** What it routes: requests, connections, or both on a port of which the first bytes tell what it speaks. */
	readonly layer: "http" | "tcp" | "both";
	/** Set for a consumer rule: it applies to callers of this namespace only. */
	readonly callerNamespace?: string;
	/** The rule applies to the sidecars of the mesh. */
	readonly sidecars: boolean;
	/** Names of gateways that the rule applies to. */
	readonly gateways: readonly string[];
	/** Without those that are shadowed for everybody. Not empty. */
	readonly branches: readonly Branch[];
	readonly action: Action;
	readonly fault?: Fault;
	readonly cors?: Cors;
	readonly headers?: HeaderMutations;
}

/** The rules of one port of one service, in the order in which they are tried; after them comes the whole service. */
export interface RouteTable {
	readonly hostname: Hostname;
	readonly port: number;
	readonly rules: readonly Rule[];
}
