import type { SharedSet } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";

const nothing: SharedSet = new Map();

/** What a response holds, by name; undefined stands for a removal. */
export class Sent {
	/** What others have too; usually nothing, and nearly everything in first responses. */
	readonly shared: SharedSet;
	/** All else; no name is in both. */
	readonly others: ReadonlyMap<string, Resource | undefined>;

	constructor(
		others: ReadonlyMap<string, Resource | undefined>,
		shared = nothing,
	) {
		this.others = others;
		this.shared = shared;
	}

	/** How many resources and removals there are. */
	get size(): number {
		return this.shared.size + this.others.size;
	}

	/** Whether there is a resource or a removal of this name. */
	has(name: string): boolean {
		return this.others.has(name) || this.shared.has(name);
	}

	/** The resource; undefined when it is a removal or not there. */
	get(name: string): Resource | undefined {
		return this.others.get(name) ?? this.shared.get(name);
	}

	/** Every name. */
	*keys(): IterableIterator<string> {
		yield* this.shared.keys();
		yield* this.others.keys();
	}

	/** Every name with its resource, or undefined for a removal. */
	[Symbol.iterator](): IterableIterator<
		readonly [string, Resource | undefined]
	> {
		return this.shared.size === 0 ? this.others.entries() : this.#entries();
	}

	*#entries(): IterableIterator<readonly [string, Resource | undefined]> {
		yield* this.shared;
		yield* this.others;
	}
}
