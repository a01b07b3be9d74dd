import { createHash } from "node:crypto";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";
import type { Violation } from "../api/violation.ts";
import type { Spot } from "./spot.ts";

/** A violation and where in its document the field stands. */
export interface PlacedViolation {
	readonly violation: Violation;
	readonly spot: Spot;
}

/** One object as it stands in a document; places are relative to the document. */
export interface Manifest {
	readonly ref: ObjectRef;
	/** Computed on demand: in a long List each place costs. */
	readonly spot: () => Spot;
	/** The generation that the file itself states. */
	readonly generation: number | undefined;
	/** Equal when everything but metadata and status is equal. */
	readonly contentDigest: string;
	readonly result:
		| { readonly kind: "object"; readonly object: ApiObject }
		| {
				readonly kind: "invalid";
				readonly violations: readonly PlacedViolation[];
		  };
}

/** An object of a kind that is not read. */
export interface IgnoredManifest {
	readonly apiVersion: string;
	readonly kindName: string;
	readonly spot: () => Spot;
}

/** The digest of what counts as the spec: order of keys, metadata and status do not. */
export function digestContent(
	value: Readonly<Record<string, unknown>>,
): string {
	const {
		apiVersion: _,
		kind: _1,
		metadata: _2,
		status: _3,
		...content
	} = value;
	return createHash("sha1").update(canonicalJson(content)).digest("base64");
}

function canonicalJson(value: unknown): string {
	return JSON.stringify(value, (_key, item: unknown) => {
		if (typeof item !== "object" || item === null || Array.isArray(item)) {
			return item;
		}
		return Object.fromEntries(Object.entries(item).sort(byKey));
	});
}

function byKey(a: readonly [string, unknown], b: readonly [string, unknown]) {
	return a[0] < b[0] ? -1 : 1;
}
