import type { ObjectRef } from "../../src/api/object-ref.ts";
import type { DistributionReader } from "../../src/controllers/distribution-reader.ts";
import type { Distribution } from "../../src/reconcilers/distribution.ts";
import { refKey } from "../../src/store/ref-key.ts";

/** Nobody needs the object. */
export const noDistribution: Distribution = {
	total: 0,
	acknowledged: 0,
	rejected: 0,
	missing: [],
	rejections: [],
	generation: undefined,
};

/** How far objects have come, set by hand. */
export class MemoryDistribution implements DistributionReader {
	readonly #by = new Map<string, Distribution>();
	readonly #listeners = new Set<(refs: Iterable<ObjectRef>) => void>();
	readonly #totalsListeners = new Set<() => void>();

	of(ref: ObjectRef): Distribution {
		return this.#by.get(refKey(ref)) ?? noDistribution;
	}

	lackingOf(ref: ObjectRef): number {
		const { total, acknowledged } = this.of(ref);
		return total - acknowledged;
	}

	subscribe(listener: (refs: Iterable<ObjectRef>) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	subscribeTotals(listener: () => void): () => void {
		this.#totalsListeners.add(listener);
		return () => this.#totalsListeners.delete(listener);
	}

	/** Replaces these fields for all these objects because proxies came or went, and tells that totals changed. */
	setTotals(refs: readonly ObjectRef[], fields: Partial<Distribution>): void {
		for (const ref of refs)
			this.#by.set(refKey(ref), { ...this.of(ref), ...fields });
		for (const listener of this.#totalsListeners) listener();
	}

	/** Replaces these fields for one object and tells nobody: not the first nor the last proxy has acknowledged it. */
	setSilently(ref: ObjectRef, fields: Partial<Distribution>): void {
		this.#by.set(refKey(ref), { ...this.of(ref), ...fields });
	}

	/** Replaces these fields for one object and tells everyone. */
	set(ref: ObjectRef, fields: Partial<Distribution>): void {
		this.#by.set(refKey(ref), { ...this.of(ref), ...fields });
		for (const listener of this.#listeners) listener([ref]);
	}
}
