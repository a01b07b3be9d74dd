/** A value of JSON, read-only. */
export type JsonValue =
	| null
	| boolean
	| number
	| string
	| readonly JsonValue[]
	| JsonObject;

/** An object of JSON, read-only. */
export interface JsonObject {
	readonly [name: string]: JsonValue;
}

/** The value as an object of JSON, or undefined when it is none. Expects what came from JSON or a protobuf Struct. */
export function parseJsonObject(value: unknown): JsonObject | undefined {
	return typeof value === "object" && value !== null && !Array.isArray(value)
		? (value as JsonObject)
		: undefined;
}
