import type { ObjectRef } from "./object-ref.ts";

/** The used part of every object's `metadata`. */
export interface Metadata {
	/** Empty for cluster-scoped kinds. */
	readonly namespace: string;
	readonly name: string;
	readonly labels: Readonly<Record<string, string>>;
	readonly annotations: Readonly<Record<string, string>>;
	/** Grows with every change of `spec`; 1 when the source does not count. */
	readonly generation: number;
	/** Milliseconds since the epoch; 0 when the source does not say. */
	readonly createdMs: number;
	/** Tells the object from an earlier one of the same name; absent when the source does not give any. */
	readonly uid?: string;
}

/** The part that every API object shares. */
export interface ObjectBase<Kind extends string> {
	readonly kind: Kind;
	readonly metadata: Metadata;
}

/** The reference that names an object. */
export function refOf(object: {
	readonly kind: string;
	readonly metadata: Metadata;
}): ObjectRef {
	const { namespace, name } = object.metadata;
	return { kind: object.kind, namespace, name };
}
