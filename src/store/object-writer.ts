import type { NotedEvent } from "../api/object-event.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ObjectStatus } from "../api/status.ts";

/** Puts statuses where the owners of objects look for them. */
export interface StatusWriter {
	/**
	 * Makes these the statuses of their objects, whole: what an earlier write said and this one does not is gone, as with
	 * server-side apply by one field manager.
	 *
	 * Guarantees: writing the same twice changes nothing; an object that is gone
	 *   meanwhile is passed over. It may be called while earlier writes are under
	 *   way: of one object the newest status is the one that stays.
	 * Fails when: some could not be written; then all may be written again.
	 */
	write(statuses: readonly ObjectStatus[]): Promise<void>;
	/** Hears that these objects are gone; their statuses went with them. */
	forget(refs: readonly ObjectRef[]): void;
}

/** Tells the owners of objects what happened to them. */
export interface EventWriter {
	/** Notes an event at a time in milliseconds since the epoch; the same again is counted. Never fails. */
	note(event: NotedEvent, nowMs: number): void;
}
