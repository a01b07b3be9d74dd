import type { ObjectRef } from "../api/object-ref.ts";
import type { AcceptedForm, RefusedForm } from "../api/proxy-report.ts";

/** Which forms of an object proxies of some replica accept and refuse. */
export interface ToldForms {
	/** Good ones: accepted in every kind of resource that they became, and refused by nobody there. */
	readonly accepted: readonly AcceptedForm[];
	readonly refused: readonly RefusedForm[];
}

/** Knows which forms of objects proxies accept and refuse. */
export interface FormsReader {
	of(ref: ObjectRef): ToldForms;
	/** Calls `listener` with objects of which it says something else until the returned function is called. */
	subscribe(listener: (refs: Iterable<ObjectRef>) => void): () => void;
}

/** Nothing is known. */
export const noForms: ToldForms = { accepted: [], refused: [] };
