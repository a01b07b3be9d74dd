import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";

/** A fact about an object that would hold if another object were stored. */
export interface PreviewedFinding {
	/** The object that the fact is about: the one that is asked about, or another. */
	readonly about: ObjectRef;
	/** One stable word, as in `docs/reasons.md`. */
	readonly reason: string;
	/** Path of the field concerned; empty for the whole object. */
	readonly path: string;
	/** Full sentences. */
	readonly message: string;
	/** False when it holds already, whatever becomes of the question. */
	readonly isNew: boolean;
}

/** Says what an object would mean among all others. */
export interface MeshPreview {
	/**
	 * What would be found if the object were stored in this form: all about itself, and what is new about others.
	 *
	 * Answers undefined while not everything that exists has been read.
	 */
	findingsOf(object: ApiObject): readonly PreviewedFinding[] | undefined;
}
