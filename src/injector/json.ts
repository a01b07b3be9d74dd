import { isRecord } from "../api/fields.ts";

/** An object of JSON that may hold anything. */
export type Json = Readonly<Record<string, unknown>>;

/** The value in an object's own field. */
export function fieldOf(of: unknown, name: string): unknown {
	return isRecord(of) && Object.hasOwn(of, name) ? of[name] : undefined;
}

/** The object in a field; an empty one when there is none. */
export function recordIn(of: unknown, name: string): Json {
	const value = fieldOf(of, name);
	return isRecord(value) ? value : {};
}

/** The objects of a list in a field; what is no object is left out. */
export function recordsIn(of: unknown, name: string): readonly Json[] {
	const value = fieldOf(of, name);
	return Array.isArray(value) ? value.filter((item) => isRecord(item)) : [];
}

/** The text in a field; empty when there is none. */
export function textIn(of: unknown, name: string): string {
	const value = fieldOf(of, name);
	return typeof value === "string" ? value : "";
}

/** The number in a field. */
export function numberIn(of: unknown, name: string): number | undefined {
	const value = fieldOf(of, name);
	return typeof value === "number" ? value : undefined;
}

/** The object with this field; `undefined` takes it out. */
export function withField(of: Json, name: string, value: unknown): Json {
	if (value !== undefined) return { ...of, [name]: value };
	return Object.fromEntries(Object.entries(of).filter(([key]) => key !== name));
}
