import { roughBytes } from "./rough-bytes.ts";

/** Something that changed about one object. */
export type ItemChange<T> =
	| { readonly op: "put"; readonly key: string; readonly value: T }
	/** The value is the last one that was known. */
	| { readonly op: "delete"; readonly key: string; readonly value: T };

/** How much of a kind is kept. */
export interface WatchLimits {
	readonly maxObjects: number;
	/** About what they take in memory. */
	readonly maxBytes: number;
}

interface Item<T> {
	readonly value: T;
	readonly bytes: number;
}

/**
 * The objects of one kind, as they were last seen, and the list that is being
 * collected to replace them.
 */
export class WatchedItems<T> {
	readonly #isEqual: (a: T, b: T) => boolean;
	readonly #limits: WatchLimits;
	#current = new Bounded<T>();
	#collected = new Bounded<T>();

	constructor(isEqual: (a: T, b: T) => boolean, limits: WatchLimits) {
		this.#isEqual = isEqual;
		this.#limits = limits;
	}

	/** The number of objects. */
	get size(): number {
		return this.#current.size;
	}

	/** All objects by key. */
	values(): ReadonlyMap<string, T> {
		return this.#current.values();
	}

	/** Forgets what was collected. */
	begin(): void {
		this.#collected = new Bounded();
	}

	/** Notes an object of the list; false when there is more than may be kept. */
	collect(key: string, value: T): boolean {
		// One that did not change stays the same object, so that it is in memory once.
		const known = this.#current.get(key);
		this.#collected.set(
			key,
			known !== undefined && this.#isEqual(known.value, value)
				? known
				: { value, bytes: roughBytes(value) },
		);
		return this.#collected.fits(this.#limits);
	}

	/** Notes that an object of the list is gone again. */
	uncollect(key: string): void {
		this.#collected.delete(key);
	}

	/** What was collected is all there is now. */
	commit(): void {
		this.#current = this.#collected;
		this.#collected = new Bounded();
	}

	/** Notes the newest form of an object; `same` when that says nothing new, `too-much` when it is not kept. */
	put(key: string, value: T): "changed" | "same" | "too-much" {
		const known = this.#current.get(key);
		if (known !== undefined && this.#isEqual(known.value, value)) return "same";
		this.#current.set(key, { value, bytes: roughBytes(value) });
		if (this.#current.fits(this.#limits)) return "changed";
		if (known === undefined) this.#current.delete(key);
		else this.#current.set(key, known);
		return "too-much";
	}

	/** Forgets an object and answers what it was; undefined when it was not known. */
	delete(key: string): T | undefined {
		return this.#current.delete(key)?.value;
	}
}

/** A map that knows how much it holds. */
class Bounded<T> {
	readonly #items = new Map<string, Item<T>>();
	#bytes = 0;

	get size(): number {
		return this.#items.size;
	}

	get(key: string): Item<T> | undefined {
		return this.#items.get(key);
	}

	set(key: string, item: Item<T>): void {
		this.#bytes += item.bytes - (this.#items.get(key)?.bytes ?? 0);
		this.#items.set(key, item);
	}

	delete(key: string): Item<T> | undefined {
		const item = this.#items.get(key);
		this.#bytes -= item?.bytes ?? 0;
		this.#items.delete(key);
		return item;
	}

	fits({ maxObjects, maxBytes }: WatchLimits): boolean {
		return this.#items.size <= maxObjects && this.#bytes <= maxBytes;
	}

	values(): ReadonlyMap<string, T> {
		return new Map([...this.#items].map(([key, { value }]) => [key, value]));
	}
}
