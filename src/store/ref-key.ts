import { type ObjectRef, objectKey } from "../api/object-ref.ts";

/** The key of an object among all kinds: `Kind/namespace/name`, or `Kind/name` when cluster-scoped. */
export function refKey(ref: ObjectRef): string {
	return `${ref.kind}/${objectKey(ref)}`;
}
