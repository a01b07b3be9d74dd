import { compareText } from "../api/object-ref.ts";

/**
 * The map after `patch`, in order of keys; `undefined` removes. The same map
 * when the patch changes nothing.
 *
 * Expects: `previous` is in order of keys. Cost without new or removed keys is
 * one copy; with them, one merge.
 */
export function patchSorted<V extends object>(
	previous: ReadonlyMap<string, V>,
	patch: ReadonlyMap<string, V | undefined>,
): ReadonlyMap<string, V> {
	const added: string[] = [];
	let changed = false;
	let removed = false;
	for (const [key, value] of patch) {
		const old = previous.get(key);
		if (old === value) continue;
		changed = true;
		if (value === undefined) removed = true;
		else if (old === undefined) added.push(key);
	}
	if (!changed) return previous;
	if (added.length === 0 && !removed) {
		const next = new Map(previous);
		for (const [key, value] of patch) {
			if (value !== undefined) next.set(key, value);
		}
		return next;
	}
	const next = new Map<string, V>();
	added.sort(compareText);
	let at = 0;
	const put = (key: string, value: V | undefined): void => {
		if (value !== undefined) next.set(key, value);
	};
	for (const [key, value] of previous) {
		for (let key2 = added[at]; key2 !== undefined && key2 < key; ) {
			put(key2, patch.get(key2));
			key2 = added[++at];
		}
		put(key, patch.has(key) ? patch.get(key) : value);
	}
	for (; at < added.length; at++) {
		const key = added[at];
		if (key !== undefined) put(key, patch.get(key));
	}
	return next;
}

/**
 * The map that holds exactly `entries`, in order of keys, with as many
 * references of `previous` as are the same; `previous` itself when all are.
 */
export function replaceSorted<V extends object>(
	previous: ReadonlyMap<string, V>,
	entries: ReadonlyMap<string, V>,
): ReadonlyMap<string, V> {
	const patch = new Map<string, V | undefined>();
	for (const key of changedKeys(previous, entries)) {
		patch.set(key, entries.get(key));
	}
	return patchSorted(previous, patch);
}

/** Keys whose values are not the same reference in both maps, in no particular order. */
export function changedKeys<V>(
	before: ReadonlyMap<string, V> | undefined,
	after: ReadonlyMap<string, V>,
): ReadonlySet<string> {
	const changed = new Set<string>();
	if (before === after) return changed;
	if (before === undefined) return new Set(after.keys());
	let kept = 0;
	for (const [key, value] of after) {
		const old = before.get(key);
		if (old !== undefined) kept++;
		if (old !== value) changed.add(key);
	}
	if (kept < before.size) {
		for (const key of before.keys()) if (!after.has(key)) changed.add(key);
	}
	return changed;
}
