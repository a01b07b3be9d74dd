import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import type { MeshForms } from "../mesh/editions.ts";
import { contentOf } from "../store/content-of.ts";
import { refKey } from "../store/ref-key.ts";
import { objectsFor } from "./held-forms.ts";
import { changedObjects, isHeldKind } from "./held-kinds.ts";
import type { KeyedForm } from "./keyed-form.ts";
import { ownObjectAt } from "./own-objects.ts";
import type { Speaker } from "./verdicts.ts";

/** The forms of objects that the mesh in force was built from, as each proxy gets them. */
export class FormsInForce {
	#forms: MeshForms | undefined;
	#before: MeshForms | undefined;
	/** When the form of an object came into force. */
	readonly #since = new Map<string, { content: string; ms: number }>();

	/** These are in force from now on. */
	set(forms: MeshForms, nowMs: number): void {
		this.#before = this.#forms;
		this.#forms = forms;
		const changed = changedObjects(this.#before?.objects, forms.objects);
		for (const ref of changed) {
			const object = ownObjectAt(forms.objects, ref);
			const key = refKey(ref);
			const content = object && contentOf(object);
			if (content === undefined || this.#since.get(key)?.content === content)
				continue;
			this.#since.set(key, { content, ms: nowMs });
		}
	}

	/** The object as the proxy gets it. */
	objectAt(proxy: Speaker, ref: ObjectRef): ApiObject | undefined {
		const objects = this.#objects(this.#forms, proxy);
		return ownObjectAt(objects, ref);
	}

	/** These objects as the proxy gets them; those that it does not get are left out. */
	of(proxy: Speaker, refs: readonly ObjectRef[]): readonly KeyedForm[] {
		const objects = this.#objects(this.#forms, proxy);
		if (objects === undefined) return [];
		const forms = new Map<string, KeyedForm>();
		for (const ref of refs) {
			if (!isHeldKind(ref.kind)) continue;
			const object = ownObjectAt(objects, ref);
			if (object === undefined) continue;
			const key = refKey(ref);
			forms.set(key, { ref, key, content: contentOf(object) });
		}
		return [...forms.values()];
	}

	/** What the proxy gets in another form than before the last change. */
	changed(proxy: Speaker): readonly KeyedForm[] {
		const now = this.#objects(this.#forms, proxy);
		if (now === undefined) return [];
		const before = this.#objects(this.#before, proxy);
		return this.of(proxy, changedObjects(before, now));
	}

	/** When the form came into force; what some have instead of a newer one did long ago. */
	sinceMs({ key, content }: KeyedForm): number {
		const since = this.#since.get(key);
		return since?.content === content ? since.ms : Number.NEGATIVE_INFINITY;
	}

	/** The object is gone. */
	forget(key: string): void {
		this.#since.delete(key);
	}

	#objects(forms: MeshForms | undefined, proxy: Speaker): Objects | undefined {
		return forms && objectsFor(forms, proxy);
	}
}
