import { refOf } from "../api/metadata.ts";
import { type ObjectRef, objectKey } from "../api/object-ref.ts";
import type { ApiObject, Objects } from "../api/objects.ts";

/** Kinds that can be held back: what Envoy is told of them is freely written. */
export const heldKinds = ["ExternalService", "RouteRule"] as const;

/** Whether objects of this kind can be held back. */
export function isHeldKind(kind: string): kind is (typeof heldKinds)[number] {
	return heldKinds.some((one) => one === kind);
}

/** One object in another form; without it when there is none. */
export interface Substitute {
	readonly object: ApiObject;
	readonly form: ApiObject | undefined;
}

/**
 * These objects with other forms in the place of some.
 *
 * @param before what this made last, whose maps are handed back where they hold
 *   the same: the same substitution again is no change for whoever compares references
 */
export function substituted(
	objects: Objects,
	substitutes: Iterable<Substitute>,
	before: Objects | undefined,
): Objects {
	let made = objects;
	for (const { object, form } of substitutes) {
		const { kind } = object;
		const map = new Map<string, ApiObject>(made[kind]);
		const key = objectKey(object.metadata);
		if (form === undefined) map.delete(key);
		else map.set(key, form);
		made = { ...made, [kind]: map };
	}
	return made === objects ? made : sameMaps(before, made);
}

/** Objects of held kinds that are not the same as before, those that are gone left out. */
export function changedObjects(
	before: Objects | undefined,
	now: Objects,
): readonly ObjectRef[] {
	return heldKinds.flatMap((kind) => {
		const old: ReadonlyMap<string, ApiObject> | undefined = before?.[kind];
		const current: ReadonlyMap<string, ApiObject> = now[kind];
		if (old === current) return [];
		return [...current]
			.filter(([key, object]) => old?.get(key) !== object)
			.map(([, object]) => refOf(object));
	});
}

function sameMaps(before: Objects | undefined, after: Objects): Objects {
	if (before === undefined) return after;
	let same = after;
	for (const kind of heldKinds) {
		const old: ReadonlyMap<string, ApiObject> = before[kind];
		const now: ReadonlyMap<string, ApiObject> = after[kind];
		if (old === now || old.size !== now.size) continue;
		const isSame = [...now].every(([key, object]) => old.get(key) === object);
		if (isSame) same = { ...same, [kind]: old };
	}
	const isBefore = Object.entries(before).every(
		([kind, map]) =>
			Object.entries(same).find(([k]) => k === kind)?.[1] === map,
	);
	return isBefore ? before : same;
}
