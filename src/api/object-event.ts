import type { ObjectRef } from "./object-ref.ts";

/** Something that happened to an object, for its owner. */
export interface ObjectEvent {
	readonly about: ObjectRef;
	/** A `Warning` wants somebody to act. */
	readonly type: "Normal" | "Warning";
	/** One stable word for programs. */
	readonly reason: string;
	/** Full sentences for people. */
	readonly message: string;
	/** How often the same was noted. */
	readonly count: number;
	/** Milliseconds since the epoch. */
	readonly firstMs: number;
	/** Milliseconds since the epoch. */
	readonly lastMs: number;
}

/** An event as it is noted, before it is counted. */
export interface NotedEvent
	extends Omit<ObjectEvent, "count" | "firstMs" | "lastMs"> {
	/** By what the API server knows the object, where it is of a kind that is not read. */
	readonly identity?: ObjectIdentity;
}

/** What tells an object from all others there are and were. */
export interface ObjectIdentity {
	readonly apiVersion: string;
	readonly uid: string;
}
