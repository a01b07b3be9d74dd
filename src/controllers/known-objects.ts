import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject, InvalidObject, Objects } from "../api/objects.ts";
import type { Signal } from "../lib/signal.ts";
import { contentOf } from "../store/content-of.ts";
import type { LastGood } from "../store/last-good.ts";
import { refKey } from "../store/ref-key.ts";
import { KnownObject } from "./known-object.ts";
import { changedOwnObjects, ownObjectAt } from "./own-objects.ts";
import { type FormsReader, noForms } from "./told-forms.ts";

/** Takes what must outlive the process. */
export interface LastGoodSink {
	put(entry: LastGood): void;
	forget(ref: ObjectRef): void;
}

/** The objects as they are. */
export interface ListedObjects {
	readonly objects: Signal<Objects>;
	/** By `refKey`. */
	readonly invalid: Signal<ReadonlyMap<string, InvalidObject>>;
	readonly allListed: Signal<boolean>;
}

/** What is remembered of all objects, and kept behind everybody's back. */
export class KnownObjects {
	readonly #inputs: ListedObjects;
	readonly #sink: LastGoodSink;
	readonly #forgotten: (key: string) => void;
	readonly #known = new Map<string, KnownObject>();
	readonly #listeners = new Set<(refs: Iterable<ObjectRef>) => void>();

	/**
	 * @param remembered what an earlier process kept
	 * @param forgotten is told the key of an object that is gone
	 */
	constructor(
		inputs: ListedObjects,
		sink: LastGoodSink,
		remembered: readonly LastGood[],
		forgotten: (key: string) => void,
	) {
		this.#inputs = inputs;
		this.#sink = sink;
		this.#forgotten = forgotten;
		for (const one of remembered)
			this.#known.set(refKey(one.ref), new KnownObject(one.ref, one));
	}

	/** By `refKey`. */
	get all(): ReadonlyMap<string, KnownObject> {
		return this.#known;
	}

	/** The software that is spoken of. */
	get software(): ReadonlySet<string> {
		return new Set(
			[...this.#known.values()].flatMap((one) => [...one.software()]),
		);
	}

	/** What proxies here accept and refuse. */
	get told(): FormsReader {
		return {
			of: (ref) => {
				const known = this.#known.get(refKey(ref));
				if (known === undefined) return noForms;
				return { accepted: known.acceptedHere(), refused: known.refusedHere() };
			},
			subscribe: (listener) => {
				this.#listeners.add(listener);
				return () => this.#listeners.delete(listener);
			},
		};
	}

	/** What is remembered of an object, from now on if nothing was before. */
	of(ref: ObjectRef): KnownObject {
		const key = refKey(ref);
		let known = this.#known.get(key);
		if (known === undefined) {
			known = new KnownObject(ref);
			this.#known.set(key, known);
		}
		return known;
	}

	/** The newest valid form of an object. */
	formNow(ref: ObjectRef): ApiObject | undefined {
		return ownObjectAt(this.#inputs.objects.value, ref);
	}

	/** Whether the object says this now. */
	isNow(ref: ObjectRef, content: string): boolean {
		const object = this.formNow(ref);
		return object !== undefined && contentOf(object) === content;
	}

	/** Has what is remembered of an object outlive the process. */
	keep(known: KnownObject): void {
		const valid = this.formNow(known.ref);
		known.kept = valid && contentOf(valid);
		this.#sink.put(known.lastGood(valid));
		for (const listener of this.#listeners) listener([known.ref]);
	}

	/** Keeps the newest valid forms, and forgets objects that are gone. */
	take(before: Objects | undefined, now: Objects): void {
		const { invalid, allListed } = this.#inputs;
		for (const ref of changedOwnObjects(before, now)) {
			const object = ownObjectAt(now, ref);
			if (object !== undefined) {
				const known = this.of(ref);
				if (known.kept !== contentOf(object)) this.keep(known);
			} else if (allListed.value && !invalid.value.has(refKey(ref)))
				this.#forget(ref);
		}
	}

	/** Forgets what was deleted while nobody ran, as soon as it is known what there is. */
	forgetGone(): void {
		const { invalid, allListed } = this.#inputs;
		if (!allListed.value) return;
		for (const [key, { ref }] of [...this.#known]) {
			if (this.formNow(ref) !== undefined) continue;
			if (!invalid.value.has(key)) this.#forget(ref);
		}
	}

	#forget(ref: ObjectRef): void {
		const key = refKey(ref);
		this.#known.delete(key);
		this.#forgotten(key);
		this.#sink.forget(ref);
	}
}
