import type { FieldPath } from "./field-path.ts";

/** Visits the entries of a list that the schema has not refused. */
export function each<T>(
	list: readonly (T | undefined)[] | undefined,
	path: FieldPath,
	visit: (item: T, path: FieldPath) => void,
): void {
	list?.forEach((item, index) => {
		if (item !== undefined) visit(item, [...path, index]);
	});
}
