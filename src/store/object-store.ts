/*
 * What every source holds, and the one view of it that the rest of the program sees:
 *
 *   source 1 ─ holdings ─┐
 *                        ├─▶ effective object per key ─▶ Objects   (shared where equal)
 *   source 2 ─ holdings ─┘                           └─▶ invalid
 *
 * Holdings are changed in place. `Objects` is immutable: only the map of a kind
 * in which something changed is replaced, so "same reference" means "unchanged"
 * for everything downstream.
 */
import { objectKey } from "../api/object-ref.ts";
import type {
	ApiObject,
	Change,
	InvalidObject,
	Objects,
} from "../api/objects.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import { emptyObjects, isKind } from "./empty-objects.ts";
import type { ChangeSink } from "./source.ts";

/** What one source says about one object: at least one of the two is there. */
interface Held {
	/** The last good form. */
	readonly object: ApiObject | undefined;
	/** Set while the newest form is refused. */
	readonly invalid: InvalidObject | undefined;
}

/** An object whose good form has changed, appeared or gone. */
export interface ChangedObject {
	readonly kind: string;
	/** As `objectKey` makes it. */
	readonly key: string;
}

/** What one source holds, by kind and then by object key. */
type Holdings = Map<string, Map<string, Held>>;

/** Kind and key of everything that a batch of changes spoke of. */
type Touched = Map<string, Set<string>>;

/**
 * The current objects of all sources.
 *
 * Guarantees: one `apply` is one signal at most, after all of its changes; an
 *   equal object keeps its reference and signals nothing; a refused object keeps
 *   its last good form until it is deleted; of one object in two sources the
 *   source named first in the constructor wins, whatever the order of arrival.
 */
export class ObjectStore {
	readonly #holdings: ReadonlyMap<string, Holdings>;
	readonly #unlisted: Set<string>;
	readonly #objects = new WritableSignal<Objects>(emptyObjects());
	readonly #invalid = new WritableSignal<ReadonlyMap<string, InvalidObject>>(
		new Map(),
	);
	readonly #allListed: WritableSignal<boolean>;
	readonly #remembered: ReadonlyMap<string, ApiObject>;
	readonly #listeners = new Set<(changed: readonly ChangedObject[]) => void>();

	/**
	 * @param sourceNames all sources that will ever apply changes, strongest first
	 * @param remembered good forms from an earlier process, by `refKey`: the last good form of an object that is refused from
	 *   the start
	 */
	constructor(
		sourceNames: readonly string[],
		remembered: ReadonlyMap<string, ApiObject> = new Map(),
	) {
		this.#remembered = remembered;
		this.#holdings = new Map(sourceNames.map((name) => [name, new Map()]));
		this.#unlisted = new Set(sourceNames);
		this.#allListed = new WritableSignal(this.#unlisted.size === 0);
	}

	/** All good objects. */
	get objects(): Signal<Objects> {
		return this.#objects;
	}

	/**
	 * The objects whose newest form is refused, by `refKey` of their reference; set before `objects`
	 * in the same `apply`, so who hears of `objects` reads both from one moment.
	 */
	get invalid(): Signal<ReadonlyMap<string, InvalidObject>> {
		return this.#invalid;
	}

	/** True once every source has applied everything that existed at its start. */
	get allListed(): Signal<boolean> {
		return this.#allListed;
	}

	/**
	 * Calls `listener` with what changes, before `objects` says so, until the returned function is called; not with what
	 * sources list at first.
	 */
	subscribeChanges(
		listener: (changed: readonly ChangedObject[]) => void,
	): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Where one source puts what it finds. */
	sinkOf(sourceName: string): ChangeSink {
		return {
			apply: (changes) => this.apply(sourceName, changes),
			listed: () => this.listed(sourceName),
		};
	}

	/** Applies one source's changes in order, all before anyone sees any of them. */
	apply(sourceName: string, changes: readonly Change[]): void {
		const holdings = this.#holdingsOf(sourceName);
		const touched: Touched = new Map();
		for (const change of changes) applyChange(holdings, change, touched);
		this.#publish(touched);
	}

	/** Records that a source has applied everything that existed at its start. */
	listed(sourceName: string): void {
		this.#holdingsOf(sourceName);
		this.#unlisted.delete(sourceName);
		if (this.#unlisted.size === 0) this.#allListed.set(true);
	}

	#holdingsOf(sourceName: string): Holdings {
		const holdings = this.#holdings.get(sourceName);
		if (holdings === undefined) {
			throw new Error(`no source named ${sourceName} was registered`);
		}
		return holdings;
	}

	#publish(touched: Touched): void {
		let objects = this.#objects.value;
		let invalid: Map<string, InvalidObject> | undefined;
		const isHeard = this.#listeners.size > 0 && this.#allListed.value;
		const changed: ChangedObject[] | undefined = isHeard ? [] : undefined;
		for (const [kind, keys] of touched) {
			const current: ReadonlyMap<string, ApiObject> = isKind(kind)
				? objects[kind]
				: new Map();
			let next: Map<string, ApiObject> | undefined;
			for (const key of keys) {
				const effective = this.#effective(kind, key);
				if (!deepEqual(current.get(key), effective.object)) {
					next ??= new Map(current);
					setOrDelete(next, key, effective.object);
					changed?.push({ kind, key });
				}
				const id = `${kind}/${key}`;
				if (!deepEqual(this.#invalid.value.get(id), effective.invalid)) {
					invalid ??= new Map(this.#invalid.value);
					setOrDelete(invalid, id, effective.invalid);
				}
			}
			if (next !== undefined) objects = { ...objects, [kind]: next };
		}
		if (invalid !== undefined) this.#invalid.set(invalid);
		if (changed !== undefined && changed.length > 0)
			for (const listener of [...this.#listeners]) listener(changed);
		this.#objects.set(objects);
	}

	/**
	 * What the sources together say of one object. The first source that speaks of
	 * it decides whether it is invalid; its good form is the first there is, since
	 * any good form beats none.
	 */
	#effective(kind: string, key: string): Held {
		let owner: Held | undefined;
		for (const holdings of this.#holdings.values()) {
			const held = holdings.get(kind)?.get(key);
			if (held === undefined) continue;
			owner ??= held;
			if (held.object !== undefined) {
				return { object: held.object, invalid: owner.invalid };
			}
		}
		if (owner?.invalid === undefined) {
			return owner ?? { object: undefined, invalid: undefined };
		}
		const object = this.#remembered.get(`${kind}/${key}`);
		return { object, invalid: owner.invalid };
	}
}

function applyChange(
	holdings: Holdings,
	change: Change,
	touched: Touched,
): void {
	switch (change.op) {
		case "put": {
			const { kind, metadata } = change.object;
			const key = objectKey(metadata);
			const kept = heldOf(holdings, kind);
			kept.set(key, putInto(kept.get(key), change.object));
			touch(touched, kind, key);
			return;
		}
		case "put-invalid": {
			const { ref } = change.invalid;
			const key = objectKey(ref);
			const kept = heldOf(holdings, ref.kind);
			kept.set(key, putInvalidInto(kept.get(key), change.invalid));
			touch(touched, ref.kind, key);
			return;
		}
		case "delete": {
			const key = objectKey(change.ref);
			heldOf(holdings, change.ref.kind).delete(key);
			touch(touched, change.ref.kind, key);
			return;
		}
		case "replace-kind": {
			const { kind } = change;
			const before = heldOf(holdings, kind);
			const after = new Map<string, Held>();
			for (const object of change.objects) {
				const key = objectKey(object.metadata);
				after.set(key, putInto(before.get(key), object));
			}
			for (const invalid of change.invalid) {
				const key = objectKey(invalid.ref);
				const held = after.get(key) ?? before.get(key);
				after.set(key, putInvalidInto(held, invalid));
			}
			holdings.set(kind, after);
			for (const key of before.keys()) touch(touched, kind, key);
			for (const key of after.keys()) touch(touched, kind, key);
			return;
		}
	}
}

/** An equal object keeps the old reference, so that only one copy stays in memory. */
function putInto(held: Held | undefined, object: ApiObject): Held {
	const same = held?.object !== undefined && deepEqual(held.object, object);
	return { object: same ? held.object : object, invalid: undefined };
}

function putInvalidInto(held: Held | undefined, invalid: InvalidObject): Held {
	return { object: held?.object, invalid };
}

function heldOf(holdings: Holdings, kind: string): Map<string, Held> {
	let held = holdings.get(kind);
	if (held === undefined) {
		held = new Map();
		holdings.set(kind, held);
	}
	return held;
}

function touch(touched: Touched, kind: string, key: string): void {
	const keys = touched.get(kind);
	if (keys === undefined) touched.set(kind, new Set([key]));
	else keys.add(key);
}

function setOrDelete<V>(
	map: Map<string, V>,
	key: string,
	value: V | undefined,
) {
	if (value === undefined) map.delete(key);
	else map.set(key, value);
}
