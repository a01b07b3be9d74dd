import { type ObjectRef, objectKey } from "../../api/object-ref.ts";
import type { ApiObject } from "../../api/objects.ts";
import { type Signal, WritableSignal } from "../../lib/signal.ts";
import type { ObjectStore } from "../../store/object-store.ts";
import { refKey } from "../../store/ref-key.ts";

/** Whether objects exist, for a part that must be there before the store of objects is. */
export interface LateObjects {
	readonly allListed: Signal<boolean>;
	/** Whether there is such an object, valid or not. */
	exists(ref: ObjectRef): boolean;
	/** Tells the object from an earlier one of its name; undefined where that is not known. */
	uidOf(ref: ObjectRef): string | undefined;
	/** From now on this store is asked; answers how to end that. */
	bind(store: ObjectStore): () => void;
}

/** Knows of no objects until there is a store. */
export function lateObjects(): LateObjects {
	const allListed = new WritableSignal(false);
	let store: ObjectStore | undefined;
	const objectAt = (ref: ObjectRef): ApiObject | undefined => {
		const kinds: Readonly<Record<string, ReadonlyMap<string, ApiObject>>> =
			store?.objects.value ?? {};
		return kinds[ref.kind]?.get(objectKey(ref));
	};
	return {
		allListed,
		exists: (ref) =>
			objectAt(ref) !== undefined ||
			store?.invalid.value.has(refKey(ref)) === true,
		uidOf: (ref) => objectAt(ref)?.metadata.uid,
		bind: (now) => {
			store = now;
			allListed.set(now.allListed.value);
			return now.allListed.subscribe((listed) => allListed.set(listed));
		},
	};
}
