import type { ObjectRef } from "../api/object-ref.ts";

/** A resource as far as blame goes. */
export interface JudgedResource {
	readonly name: string;
	readonly version: string;
	/** The objects behind it. */
	readonly origins: readonly ObjectRef[];
}

/** Whose word it is. */
export interface Speaker {
	/** `envoy 1.40.0`; proxies of the same software accept the same. */
	readonly software: string;
	/** `namespace/name` of its workload. */
	readonly proxy: string;
}

/** What a proxy has accepted. */
export interface Acceptance extends Speaker {
	readonly op: "accepted";
	readonly type: string;
	readonly resources: readonly JudgedResource[];
}

/** What a proxy has refused: each of these alone. */
export interface Refused extends Speaker {
	readonly op: "refused";
	readonly type: string;
	readonly message: string;
	readonly resources: readonly JudgedResource[];
}

/** What a proxy said about resources, or that it came or went. */
export type Verdict =
	| (Speaker & { readonly op: "connected" | "disconnected" })
	| Acceptance
	| Refused;

/** Where the quarantine hears of proxies. */
export interface Verdicts {
	/** Calls `listener` with what proxies say until the returned function is called. */
	subscribe(listener: (verdict: Verdict) => void): () => void;
	/** Whether a resource of this version was made from the mesh in force, as this proxy gets it. */
	isCurrent(proxy: Speaker, version: string): boolean;
	/** The resources that were made from an object in the mesh in force, as this proxy gets it. */
	carrying(
		proxy: Speaker,
		ref: ObjectRef,
	): Iterable<{ readonly type: string; readonly version: string }>;
	/** Whether a proxy of this software has accepted the version. */
	hasAccepted(software: string, version: string): boolean;
}
