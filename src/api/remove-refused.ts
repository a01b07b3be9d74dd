import type { FieldPath, FieldStep } from "./field-path.ts";

/**
 * Removes from a parsed value, in place, what the schema refused, so that the
 * rest can be checked further as if it were all there is.
 *
 * Guarantees: what remains at every place fits the schema there, except that
 *   `spec` may lack required fields and a list may have `undefined` entries.
 */
export function removeRefused(
	value: unknown,
	refused: readonly FieldPath[],
): void {
	for (const path of refused) {
		// A spec without a required field is still worth looking through.
		if (path.length > 1 || !isSpec(path)) removeAt(value, path);
	}
}

function isSpec(path: FieldPath): boolean {
	return path.length === 0 || path[0] === "spec";
}

function removeAt(value: unknown, path: FieldPath): void {
	const holders: object[] = [];
	let holder = value;
	for (const step of path) {
		if (typeof holder !== "object" || holder === null) return;
		holders.push(holder);
		holder = Reflect.get(holder, nameOf(step));
	}
	// An object or list that holds nothing else goes too: alone, it would be complained about again.
	for (let depth = holders.length - 1; depth >= 1; depth--) {
		const object = holders[depth];
		const step = path[depth];
		if (object === undefined || step === undefined) return;
		if (Array.isArray(object)) {
			object[Number(nameOf(step))] = undefined;
			return;
		}
		Reflect.deleteProperty(object, nameOf(step));
		if (Object.keys(object).length > 0 || depth === 1) return;
	}
}

function nameOf(step: FieldStep): string {
	return typeof step === "object" ? step.key : String(step);
}
