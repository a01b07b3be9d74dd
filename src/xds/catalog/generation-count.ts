import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";

/** Counts resources that were built and encoded; one that several layers share counts once. */
export class GenerationCount {
	readonly #seen = new WeakSet<Resource>();
	readonly #counts = new Map<ResourceType, number>(
		sendOrder.map((type) => [type, 0]),
	);

	/** How many there were since the start, by type; types of which there were none too. */
	get counts(): ReadonlyMap<ResourceType, number> {
		return this.#counts;
	}

	/** Notes resources that a generator handed over. */
	note(type: ResourceType, resources: readonly Resource[]): void {
		for (const resource of resources) {
			if (this.#seen.has(resource)) continue;
			this.#seen.add(resource);
			this.#counts.set(type, (this.#counts.get(type) ?? 0) + 1);
		}
	}
}
