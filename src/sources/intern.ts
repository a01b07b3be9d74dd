/** Keeps one copy of what many objects have in common: names of namespaces and nodes, sets of labels, lists of ports. */
export interface Interner {
	text(value: string): string;
	/** An equal value of plain JSON; to be asked for small ones that repeat, as each new one is kept. */
	json<T>(value: T): T;
}

/**
 * Makes an interner.
 *
 * @param maxEntries known copies of each sort; when there are more, all are forgotten, which costs memory and nothing else
 */
export function createInterner(maxEntries = 20_000): Interner {
	const texts = new Map<string, string>();
	const values = new Map<string, unknown>();
	const known = <T>(map: Map<string, T>, key: string, value: T): T => {
		const found = map.get(key);
		if (found !== undefined) return found;
		if (map.size >= maxEntries) map.clear();
		map.set(key, value);
		return value;
	};
	return {
		text: (value) => known(texts, value, value),
		// What is found under this key was written like the value, so it has its type.
		json: <T>(value: T) =>
			known<unknown>(values, JSON.stringify(value), value) as T,
	};
}
