/**
 * Names that wait for responses of their own, in groups: what nobody has proven
 * yet, and what was refused together with something else and is looked for in
 * ever smaller groups.
 */
export class Apart {
	#groups: (readonly string[])[] = [];
	readonly #names = new Set<string>();

	/** Whether nothing waits. */
	get isEmpty(): boolean {
		return this.#names.size === 0;
	}

	/** Every name that waits. */
	get names(): ReadonlySet<string> {
		return this.#names;
	}

	/** Puts groups before those that wait already, in this order. */
	first(groups: readonly (readonly string[])[]): void {
		this.#groups = [
			...groups.map((group) => this.#add(group)),
			...this.#groups,
		].filter(({ length }) => length > 0);
	}

	/** Puts a group behind those that wait already. */
	last(group: readonly string[]): void {
		const added = this.#add(group);
		if (added.length > 0) this.#groups.push(added);
	}

	/** Takes the next group; empty when there is none. */
	take(): readonly string[] {
		const group = (this.#groups.shift() ?? []).filter((name) =>
			this.#names.delete(name),
		);
		return group.length > 0 || this.#groups.length === 0 ? group : this.take();
	}

	/** Takes a name out of its group. */
	delete(name: string): void {
		this.#names.delete(name);
		// A name that comes back must not be found in its old group.
		if (this.#names.size === 0) this.#groups = [];
	}

	#add(group: readonly string[]): readonly string[] {
		const added: string[] = [];
		for (const name of group) {
			if (this.#names.has(name)) continue;
			this.#names.add(name);
			added.push(name);
		}
		return added;
	}
}
