/** Whether the process can do its work, and what it still waits for. */
export interface Readiness {
	readonly ready: boolean;
	/** What must still happen, as short clauses, each followed by why it has not where that is known; empty when ready. */
	readonly waitingFor: readonly string[];
}

/** Keeps the list of what must have happened before others may rely on this process. */
export class Health {
	readonly #waitingFor: Set<string>;
	readonly #reasons = new Map<string, string>();
	readonly #listeners = new Set<() => void>();

	/** @param conditions what must happen, in the words that are shown: `the first mesh is built`. */
	constructor(conditions: readonly string[]) {
		this.#waitingFor = new Set(conditions);
	}

	get readiness(): Readiness {
		return {
			ready: this.#waitingFor.size === 0,
			waitingFor: [...this.#waitingFor].map((condition) => {
				const reason = this.#reasons.get(condition);
				return reason === undefined ? condition : `${condition}: ${reason}`;
			}),
		};
	}

	/** Says why it has not happened yet, and what to do, in full sentences; undefined when it is only a matter of time. */
	explain(condition: string, reason: string | undefined): void {
		if (reason === undefined) this.#reasons.delete(condition);
		else this.#reasons.set(condition, reason);
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
