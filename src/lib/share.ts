/**
 * A value equal to `next` that is made of as much of `previous` as possible:
 * `previous` itself when both are equal, else a copy in which every equal part
 * at the same place is the previous part, and so are equal items at other places
 * of a short list.
 *
 * Expects: plain objects, arrays, maps, sets and primitives without cycles. The
 * order of entries counts in arrays, maps and sets, not in objects.
 */
export function share<T>(previous: T | undefined, next: T): T {
	// The result is equal to `next`, so it has its type; the compiler cannot follow that through `unknown`.
	return shareUnknown(previous, next) as T;
}

/**
 * `next` with each element replaced by the previous element of the same key
 * when both are equal; `previous` itself when nothing differs.
 */
export function shareList<T>(
	previous: readonly T[] | undefined,
	next: readonly T[],
	keyOf: (item: T) => string,
): readonly T[] {
	if (previous === undefined || previous === next) return next;
	const byKey = new Map(previous.map((item) => [keyOf(item), item]));
	const shared = next.map((item) => share(byKey.get(keyOf(item)), item));
	return sameElements(previous, shared) ? previous : shared;
}

/** True when both lists have the same references (or equal primitives) in the same order. */
export function sameElements(
	a: readonly unknown[],
	b: readonly unknown[],
): boolean {
	return a.length === b.length && a.every((item, index) => item === b[index]);
}

function shareUnknown(previous: unknown, next: unknown): unknown {
	if (Object.is(previous, next)) return previous;
	if (!isObject(previous) || !isObject(next)) return next;
	if (Array.isArray(previous) || Array.isArray(next)) {
		return Array.isArray(previous) && Array.isArray(next)
			? shareArray(previous, next)
			: next;
	}
	if (previous instanceof Map || next instanceof Map) {
		return previous instanceof Map && next instanceof Map
			? shareMap(previous, next)
			: next;
	}
	if (previous instanceof Set || next instanceof Set) {
		return previous instanceof Set &&
			next instanceof Set &&
			sameElements([...previous], [...next])
			? previous
			: next;
	}
	return shareObject(previous, next);
}

function shareArray(
	previous: readonly unknown[],
	next: readonly unknown[],
): readonly unknown[] {
	const shared = next.map((item, index) => {
		const inPlace = shareUnknown(previous[index], item);
		if (inPlace === previous[index] || !isObject(item)) return inPlace;
		return equalItem(previous, item) ?? inPlace;
	});
	return sameElements(previous, shared) ? previous : shared;
}

/** Looks in other places too, because one more item moves all behind it; not in long lists, where that takes long. */
function equalItem(previous: readonly unknown[], item: object): unknown {
	return previous.length > 64
		? undefined
		: previous.find((old) => shareUnknown(old, item) === old);
}

function shareMap(
	previous: ReadonlyMap<unknown, unknown>,
	next: ReadonlyMap<unknown, unknown>,
): ReadonlyMap<unknown, unknown> {
	const shared = new Map<unknown, unknown>();
	for (const [key, value] of next) {
		shared.set(key, shareUnknown(previous.get(key), value));
	}
	return sameElements([...previous.keys()], [...shared.keys()]) &&
		sameElements([...previous.values()], [...shared.values()])
		? previous
		: shared;
}

function shareObject(previous: object, next: object): object {
	const before = new Map<string, unknown>(Object.entries(previous));
	let same = true;
	let count = 0;
	const shared: Record<string, unknown> = {};
	for (const [key, value] of Object.entries(next)) {
		const old = before.get(key);
		const part = shareUnknown(old, value);
		// A plain assignment to this one name would set the prototype instead.
		if (key === "__proto__") {
			Object.defineProperty(shared, key, {
				value: part,
				enumerable: true,
				configurable: true,
				writable: true,
			});
		} else shared[key] = part;
		if (!Object.is(part, old) || !before.has(key)) same = false;
		count++;
	}
	return same && count === before.size ? previous : shared;
}

function isObject(value: unknown): value is object {
	return typeof value === "object" && value !== null;
}
