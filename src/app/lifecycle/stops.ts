/** What must be stopped, last started first. */
export class Stops implements AsyncDisposable {
	readonly #stops: (() => unknown)[] = [];

	/** Adds a way to stop something. */
	add(stop: () => unknown): void {
		this.#stops.push(stop);
	}

	/** Adds something that can be disposed of, and hands it back. */
	own<T extends AsyncDisposable | Disposable>(owned: T): T {
		this.add(() =>
			Symbol.asyncDispose in owned
				? owned[Symbol.asyncDispose]()
				: owned[Symbol.dispose](),
		);
		return owned;
	}

	/** Stops everything; one that fails does not keep the others running, and the first failure is thrown at the end. */
	async [Symbol.asyncDispose](): Promise<void> {
		const failures: unknown[] = [];
		for (const stop of this.#stops.splice(0).reverse()) {
			try {
				await stop();
			} catch (error) {
				failures.push(error);
			}
		}
		if (failures.length > 0) throw failures[0];
	}
}
