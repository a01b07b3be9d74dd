/** The latest value of something, and who wants to hear when it changes. */
export interface Signal<T> {
	/** The latest value. */
	readonly value: T;
	/** Calls `listener` after every change until the returned function is called. */
	subscribe(listener: (value: T) => void): () => void;
}

/** A `Signal` whose owner can set it. */
export class WritableSignal<T> implements Signal<T> {
	#value: T;
	readonly #listeners = new Set<(value: T) => void>();

	constructor(initial: T) {
		this.#value = initial;
	}

	get value(): T {
		return this.#value;
	}

	/** Replaces the value and tells everyone; the same reference again is no change. */
	set(value: T): void {
		if (Object.is(value, this.#value)) return;
		this.#value = value;
		for (const listener of [...this.#listeners]) listener(value);
	}

	subscribe(listener: (value: T) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}
}
