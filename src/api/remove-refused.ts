import type { FieldPath, FieldStep } from "./field-path.ts";
import type { Schema } from "./schema.ts";

/**
 * Removes from a parsed value, in place, what the schema refused, so that the
 * rest can be checked further as if it were all there is.
 *
 * Guarantees: what remains at every place fits the schema there, except that
 *   `spec` may lack required fields and a list may have `undefined` entries.
 */
export function removeRefused(
	schema: Schema,
	value: unknown,
	refused: readonly FieldPath[],
): void {
	for (const path of refused) {
		// A spec without a required field is still worth looking through.
		if (path.length === 0 || (path.length === 1 && path[0] === "spec"))
			continue;
		removeAt(schema, value, path);
	}
}

/** Removes a value, and with it what cannot be without it or would be empty. */
function removeAt(schema: Schema, value: unknown, path: FieldPath): void {
	const holders = holdersOf(value, path);
	if (holders.length < path.length) return;
	for (let end = path.length; end > 0; end--) {
		const holder = holders[end - 1];
		const step = path[end - 1];
		if (holder === undefined || step === undefined) return;
		if (Array.isArray(holder)) {
			holder[Number(nameOf(step))] = undefined;
			return;
		}
		Reflect.deleteProperty(holder, nameOf(step));
		const isComplete =
			Object.keys(holder).length > 0 &&
			!schema.required.has(placeOf(path.slice(0, end)));
		if (isComplete || end <= 2) return;
	}
}

/** The objects and lists on the way to a value, outermost first; fewer than steps where the way ends early. */
function holdersOf(value: unknown, path: FieldPath): readonly object[] {
	const holders: object[] = [];
	let holder = value;
	for (const step of path) {
		if (typeof holder !== "object" || holder === null) break;
		holders.push(holder);
		holder = Reflect.get(holder, nameOf(step));
	}
	return holders;
}

function placeOf(path: FieldPath): string {
	return path.map((step) => (typeof step === "string" ? step : "*")).join("/");
}

function nameOf(step: FieldStep): string {
	return typeof step === "object" ? step.key : String(step);
}
