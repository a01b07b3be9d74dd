import { type ObjectRef, objectKey } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { ObjectStore } from "../store/object-store.ts";
import { refKey } from "../store/ref-key.ts";

/** Whether objects exist, for a part that must be there before the store of objects is. */
export interface LateObjects {
	readonly allListed: Signal<boolean>;
	/** Whether there is such an object, valid or not. */
	exists(ref: ObjectRef): boolean;
	/** From now on this store is asked; answers how to end that. */
	bind(store: ObjectStore): () => void;
}

/** Knows of no objects until there is a store. */
export function lateObjects(): LateObjects {
	const allListed = new WritableSignal(false);
	let store: ObjectStore | undefined;
	return {
		allListed,
		exists: (ref) => {
			if (store === undefined) return false;
			const kinds: Readonly<Record<string, ReadonlyMap<string, ApiObject>>> =
				store.objects.value;
			return (
				kinds[ref.kind]?.has(objectKey(ref)) === true ||
				store.invalid.value.has(refKey(ref))
			);
		},
		bind: (now) => {
			store = now;
			allListed.set(now.allListed.value);
			return now.allListed.subscribe((listed) => allListed.set(listed));
		},
	};
}
