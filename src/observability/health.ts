/** Whether the process can do its work, and what it still waits for. */
export interface Readiness {
	readonly ready: boolean;
	/** What must still happen, as short clauses; empty when ready. */
	readonly waitingFor: readonly string[];
}

/** Keeps the list of what must have happened before others may rely on this process. */
export class Health {
	readonly #waitingFor: Set<string>;
	readonly #listeners = new Set<() => void>();

	/** @param conditions what must happen, in the words that are shown: `the first mesh is built`. */
	constructor(conditions: readonly string[]) {
		this.#waitingFor = new Set(conditions);
	}

	get readiness(): Readiness {
		return {
			ready: this.#waitingFor.size === 0,
			waitingFor: [...this.#waitingFor],
		};
	}

	/** Says that it has happened; again says nothing new. */
	reached(condition: string): void {
		if (!this.#waitingFor.delete(condition) || this.#waitingFor.size > 0)
			return;
		for (const listener of this.#listeners) listener();
		this.#listeners.clear();
	}

	/** Resolves once everything has happened. */
	whenReady(): Promise<void> {
		if (this.#waitingFor.size === 0) return Promise.resolve();
		return new Promise((resolve) => this.#listeners.add(resolve));
	}
}
