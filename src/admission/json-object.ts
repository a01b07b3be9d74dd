/** A JSON object whose fields are not looked at yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is a JSON object. */
export function isJsonObject(value: unknown): value is Fields {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The text in a field; empty when there is none. */
export function textOf(fields: Fields, name: string): string {
	const value = Object.hasOwn(fields, name) ? fields[name] : undefined;
	return typeof value === "string" ? value : "";
}
