import { createHash } from "node:crypto";
import type { ApiObject } from "../api/objects.ts";
import { memoByInput } from "../lib/memo.ts";

/**
 * A hash of what an object says, whatever its generation, labels and age are:
 * equal after a restart and from another source.
 */
export const contentOf = memoByInput((object: ApiObject): string => {
	const { metadata, ...rest } = object;
	const { namespace, name } = metadata;
	return createHash("sha256")
		.update(JSON.stringify(sorted({ ...rest, namespace, name })))
		.digest("base64url")
		.slice(0, 22);
});

/** The same value with the keys of every object in order. */
function sorted(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(sorted);
	if (typeof value !== "object" || value === null) return value;
	return Object.fromEntries(
		Object.entries(value)
			.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
			.map(([key, one]) => [key, sorted(one)]),
	);
}
