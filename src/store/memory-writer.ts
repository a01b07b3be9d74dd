import type { NotedEvent, ObjectEvent } from "../api/object-event.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ObjectStatus } from "../api/status.ts";
import type { EventWriter, StatusWriter } from "./object-writer.ts";
import { refKey } from "./ref-key.ts";

/** Statuses in memory, for sources that have no place to write them to, and for tests. */
export class MemoryStatusWriter implements StatusWriter {
	readonly #statuses = new Map<string, ObjectStatus>();
	readonly #firstMs = new Map<string, number>();
	readonly #listeners = new Set<(refs: readonly ObjectRef[]) => void>();

	/** Every status, by `refKey` of its object. */
	get all(): ReadonlyMap<string, ObjectStatus> {
		return this.#statuses;
	}

	/** The status of one object. */
	of(ref: ObjectRef): ObjectStatus | undefined {
		return this.#statuses.get(refKey(ref));
	}

	/** When the status of an object was first written: the transition of its first conditions. Milliseconds since the epoch. */
	firstMs(ref: ObjectRef): number {
		return this.#firstMs.get(refKey(ref)) ?? 0;
	}

	/** Calls `listener` with the objects whose status was written or is gone until the returned function is called. */
	subscribe(listener: (refs: readonly ObjectRef[]) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	write(statuses: readonly ObjectStatus[]): Promise<void> {
		for (const status of statuses) {
			const key = refKey(status.ref);
			if (!this.#firstMs.has(key))
				this.#firstMs.set(key, status.conditions[0]?.lastTransitionMs ?? 0);
			this.#statuses.set(key, status);
		}
		this.#tell(statuses.map(({ ref }) => ref));
		return Promise.resolve();
	}

	forget(refs: readonly ObjectRef[]): void {
		for (const ref of refs) this.#firstMs.delete(refKey(ref));
		this.#tell(refs.filter((ref) => this.#statuses.delete(refKey(ref))));
	}

	#tell(refs: readonly ObjectRef[]): void {
		if (refs.length === 0) return;
		for (const listener of [...this.#listeners]) listener(refs);
	}
}

/** The latest events, in memory. */
export class MemoryEventWriter implements EventWriter {
	/** By what is the same, the one noted longest ago first. */
	readonly #events = new Map<string, ObjectEvent>();
	readonly #max: number;

	/** Keeps `max` different events; 1,000 of 500 bytes are half a megabyte. */
	constructor(max = 1000) {
		this.#max = max;
	}

	/** Every event that is kept, the one noted longest ago first. */
	get all(): readonly ObjectEvent[] {
		return [...this.#events.values()];
	}

	note(event: NotedEvent, nowMs: number): void {
		const key = JSON.stringify([
			refKey(event.about),
			event.reason,
			event.message,
		]);
		const before = this.#events.get(key);
		this.#events.delete(key);
		this.#events.set(key, {
			...event,
			count: (before?.count ?? 0) + 1,
			firstMs: before?.firstMs ?? nowMs,
			// The machine's clock may have jumped back in between.
			lastMs: Math.max(nowMs, before?.firstMs ?? nowMs),
		});
		const [oldest] = this.#events.keys();
		if (this.#events.size > this.#max && oldest !== undefined)
			this.#events.delete(oldest);
	}
}
