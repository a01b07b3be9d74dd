/** Keeps one copy of what many objects have in common: names of namespaces and nodes, sets of labels. */
export interface Interner {
	/** The same value, made of copies that are known already as far as possible. */
	intern<T>(value: T): T;
}

/** Small values that repeat are worth it; large ones are looked up longer than they save. */
const MAX_TEXT = 64;

/**
 * Makes an interner.
 *
 * @param maxEntries known copies; when there are more, all are forgotten, which costs memory and nothing else
 */
export function createInterner(maxEntries = 50_000): Interner {
	let texts = new Map<string, string>();
	let lists = new Map<string, unknown>();
	const known = <T>(map: Map<string, T>, key: string, value: T): T => {
		const found = map.get(key);
		if (found !== undefined) return found;
		map.set(key, value);
		return value;
	};
	const walk = (value: unknown): unknown => {
		if (typeof value === "string")
			return value.length > MAX_TEXT ? value : known(texts, value, value);
		if (typeof value !== "object" || value === null) return value;
		if (Array.isArray(value)) {
			const items = value.map(walk);
			return isFlat(items)
				? known<unknown>(lists, JSON.stringify(items), items)
				: items;
		}
		const copy: Record<string, unknown> = {};
		for (const [name, field] of Object.entries(value)) copy[name] = walk(field);
		const fields = Object.values(copy);
		return fields.length > 0 && fields.every((one) => typeof one === "string")
			? known<unknown>(lists, JSON.stringify(copy), copy)
			: copy;
	};
	return {
		intern<T>(value: T): T {
			if (texts.size > maxEntries) texts = new Map();
			if (lists.size > maxEntries) lists = new Map();
			// What comes out is equal to what goes in, so it has its type.
			return walk(value) as T;
		},
	};
}

function isFlat(items: readonly unknown[]): boolean {
	return items.every((item) => typeof item !== "object" || item === null);
}
