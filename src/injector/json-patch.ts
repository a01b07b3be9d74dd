import { isRecord } from "../api/fields.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import type { Json } from "./json.ts";

/** One step of a JSON Patch (RFC 6902). */
export type PatchOperation =
	| {
			readonly op: "add" | "replace";
			readonly path: string;
			readonly value: unknown;
	  }
	| { readonly op: "remove"; readonly path: string };

/**
 * The steps that make one object of another: field by field, and item by item
 * in lists of the same length. A list that grew is replaced as a whole.
 */
export function jsonPatch(before: Json, after: Json): PatchOperation[] {
	return patchObject(before, after, "");
}

function patchObject(
	before: Json,
	after: Json,
	path: string,
): PatchOperation[] {
	const operations: PatchOperation[] = [];
	for (const name of Object.keys(before)) {
		if (!Object.hasOwn(after, name))
			operations.push({ op: "remove", path: `${path}/${escaped(name)}` });
	}
	for (const [name, value] of Object.entries(after)) {
		const at = `${path}/${escaped(name)}`;
		if (Object.hasOwn(before, name))
			operations.push(...patchValue(before[name], value, at));
		else operations.push({ op: "add", path: at, value });
	}
	return operations;
}

function patchValue(
	before: unknown,
	after: unknown,
	path: string,
): PatchOperation[] {
	if (deepEqual(before, after)) return [];
	if (isRecord(before) && isRecord(after))
		return patchObject(before, after, path);
	if (
		Array.isArray(before) &&
		Array.isArray(after) &&
		before.length === after.length
	)
		return after.flatMap((item, index) =>
			patchValue(before[index], item, `${path}/${index}`),
		);
	return [{ op: "replace", path, value: after }];
}

/** RFC 6901. */
function escaped(name: string): string {
	return name.replaceAll("~", "~0").replaceAll("/", "~1");
}
