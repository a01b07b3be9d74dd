/** Reads an answer that came as JSON, without trusting its form. */

/** The value of a field; undefined when there is none. */
export function fieldOf(value: unknown, name: string): unknown {
	return typeof value === "object" && value !== null
		? Object.entries(value).find(([key]) => key === name)?.[1]
		: undefined;
}

/** A field as text for a table; empty when there is none. */
export function textOf(value: unknown, name: string): string {
	const field = fieldOf(value, name);
	return field === undefined || field === null ? "" : String(field);
}

/** The items of a field that is a list; none when it is not. */
export function listOf(value: unknown, name: string): readonly unknown[] {
	const field = fieldOf(value, name);
	return Array.isArray(field) ? field : [];
}
