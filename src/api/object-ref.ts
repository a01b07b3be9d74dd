/** Names one API object. Cluster-scoped kinds have an empty namespace. */
export interface ObjectRef {
	readonly kind: string;
	readonly namespace: string;
	readonly name: string;
}

/** The form people read and type: `RouteRule default/reviews`. */
export function printRef(ref: ObjectRef): string {
	return ref.namespace === ""
		? `${ref.kind} ${ref.name}`
		: `${ref.kind} ${ref.namespace}/${ref.name}`;
}

/** The key of an object within its kind: `namespace/name`, or `name` when cluster-scoped. */
export function objectKey(ref: {
	readonly namespace: string;
	readonly name: string;
}): string {
	return ref.namespace === "" ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** Total order: by kind, then namespace, then name. */
export function compareRefs(a: ObjectRef, b: ObjectRef): number {
	return (
		compareText(a.kind, b.kind) ||
		compareText(a.namespace, b.namespace) ||
		compareText(a.name, b.name)
	);
}

/** Order by UTF-16 code unit: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0;
}
