import type { ObjectRef } from "../../api/object-ref.ts";
import type { ChangedObject } from "../../store/object-store.ts";
import type { ChangeResult } from "./change-figures.ts";

/** One build of the mesh and all that follows from it, as far as it has come. Times are monotonic milliseconds. */
export interface Change {
	/** When its first object was read. */
	readonly startMs: number;
	/** The same by the clock on the wall: milliseconds since the epoch. */
	readonly startWallMs: number;
	/** What changed; of many, some. */
	readonly objects: ChangedObject[];
	/** How many objects changed. */
	count: number;
	/** Whether a trace of it is wanted. */
	isTraced: boolean;
	/** The build of the mesh began. */
	buildMs: number;
	/** The mesh was built. */
	builtMs: number;
	/** What differs in it was generated, and is in force. */
	generatedMs: number;
	/** Resources that were generated. */
	resources: number;
	/** Open streams at that time. */
	proxies: number;
	/** The first response after that was handed over. */
	firstSentMs: number | undefined;
	/** The last response before all had acknowledged was handed over. */
	lastSentMs: number | undefined;
	/** By `refKey`: objects of which proxies lack something. */
	readonly lacking: Map<string, ObjectRef>;
	/** Whether a newer change has replaced some of it before proxies had it. */
	isSuperseded: boolean;
	/** How its way to proxies ended, and when; undefined while it goes on. */
	result: ChangeResult | undefined;
	endedMs: number;
	/** Names of proxies that lack it; for one that is late. */
	missing: readonly string[];
	/** Proxies that have refused it; for one that is late. */
	rejected: number;
	/** By `refKey`: objects whose status is to say so. */
	readonly unwritten: Set<string>;
	/** When the write of the last of these statuses began and ended; undefined before. */
	written: { readonly startMs: number; readonly endMs: number } | undefined;
	/** Ends the wait for whatever it waits for. */
	cancel: () => void;
}
