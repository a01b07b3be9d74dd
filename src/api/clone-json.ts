import type { FieldPath, FieldStep } from "./field-path.ts";
import { printValue } from "./print-value.ts";

/** A deep copy, or why the value cannot be an API object at all. */
export type ClonedJson =
	| { readonly kind: "cloned"; readonly value: unknown }
	| {
			readonly kind: "refused";
			readonly path: FieldPath;
			readonly message: string;
	  };

/** What etcd takes by default for one object. */
const MAX_BYTES = 1.5 * 1024 * 1024;

/** Deeper than any kind's schema, shallow enough for every recursion here. */
const MAX_DEPTH = 64;

/**
 * Copies a parsed JSON or YAML value.
 *
 * Guarantees: the copy is a tree of plain objects, lists, strings, finite
 *   numbers, booleans and nulls; it is neither deep nor large. So an object that
 *   refers to itself, or an alias that unfolds to gigabytes, ends here. A field
 *   that is undefined is left out.
 */
export function cloneJson(value: unknown): ClonedJson {
	const walk: Walk = { path: [], bytes: 0, problem: undefined };
	const copy = clone(value, walk);
	return walk.problem === undefined
		? { kind: "cloned", value: copy }
		: { kind: "refused", ...walk.problem };
}

interface Walk {
	readonly path: FieldStep[];
	/** About what the value takes as JSON. */
	bytes: number;
	problem: { readonly path: FieldPath; readonly message: string } | undefined;
}

function clone(value: unknown, walk: Walk): unknown {
	if (walk.problem !== undefined) return undefined;
	const isLeaf =
		value === null ||
		typeof value === "string" ||
		typeof value === "boolean" ||
		(typeof value === "number" && Number.isFinite(value));
	if (isLeaf) {
		count(typeof value === "string" ? value.length + 2 : 4, walk);
		return value;
	}
	const isList = Array.isArray(value);
	if (!isList && !isPlain(value)) {
		return refuse(
			walk,
			`The value is ${printValue(value)}, which is not a JSON value. Write a string, a number, a boolean, a list or an object.`,
		);
	}
	if (walk.path.length >= MAX_DEPTH) {
		return refuse(
			walk,
			`The value is nested more than ${MAX_DEPTH} levels deep, which no field is. Check the indentation, and that no alias refers to itself.`,
		);
	}
	return isList ? cloneList(value, walk) : cloneObject(value, walk);
}

function cloneList(list: readonly unknown[], walk: Walk): unknown[] {
	const copy: unknown[] = [];
	for (let index = 0; index < list.length; index++) {
		count(1, walk);
		if (walk.problem !== undefined) break;
		walk.path.push(index);
		copy.push(clone(list[index], walk));
		walk.path.pop();
	}
	return copy;
}

function cloneObject(object: object, walk: Walk): Record<string, unknown> {
	const copy: Record<string, unknown> = {};
	for (const [name, field] of Object.entries(object)) {
		if (field === undefined) continue;
		count(name.length + 4, walk);
		if (walk.problem !== undefined) break;
		walk.path.push(name);
		if (name === "__proto__") refuse(walk, "This name is reserved. Remove it.");
		else copy[name] = clone(field, walk);
		walk.path.pop();
	}
	return copy;
}

function isPlain(value: unknown): value is object {
	if (typeof value !== "object" || value === null) return false;
	const prototype: unknown = Object.getPrototypeOf(value);
	return prototype === Object.prototype || prototype === null;
}

function count(bytes: number, walk: Walk): void {
	walk.bytes += bytes;
	if (walk.bytes > MAX_BYTES && walk.problem === undefined) {
		walk.problem = {
			path: [],
			message:
				"The object is larger than 1.5 MiB, which is the most that Kubernetes stores. Split it into several objects.",
		};
	}
}

function refuse(walk: Walk, message: string): undefined {
	// The first steps are enough to find it.
	walk.problem ??= { path: walk.path.slice(0, 8), message };
	return undefined;
}
