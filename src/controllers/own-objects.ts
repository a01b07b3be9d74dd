import { refOf } from "../api/metadata.ts";
import { type ObjectRef, objectKey } from "../api/object-ref.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import { isOwnKind, ownKinds } from "../api/own-kinds.ts";

/** The object as it is now; undefined when there is none, or its kind is not one of ours. */
export function ownObjectAt(
	objects: Objects | undefined,
	ref: ObjectRef,
): ApiObject | undefined {
	if (objects === undefined || !isOwnKind(ref.kind)) return undefined;
	return objects[ref.kind].get(objectKey(ref));
}

/** Objects of our kinds that are new, gone, or not the same as before; all of them, if there was nothing before. */
export function* changedOwnObjects(
	before: Objects | undefined,
	now: Objects | undefined,
): Generator<ObjectRef, void, undefined> {
	for (const kind of ownKinds) {
		const old: ReadonlyMap<string, ApiObject> | undefined = before?.[kind];
		const current: ReadonlyMap<string, ApiObject> | undefined = now?.[kind];
		if (old === current) continue;
		for (const [key, object] of current ?? [])
			if (old?.get(key) !== object) yield refOf(object);
		for (const [key, object] of old ?? [])
			if (current?.has(key) !== true) yield refOf(object);
	}
}
