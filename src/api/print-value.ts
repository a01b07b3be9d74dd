/** A value as a sentence names it: `the number 5`, `"abc"`, `a list`. Long text is cut. */
export function printValue(value: unknown): string {
	if (value === null) return "null";
	if (Array.isArray(value)) return "a list";
	switch (typeof value) {
		case "string":
			return JSON.stringify(
				value.length > 60 ? `${value.slice(0, 57)}...` : value,
			);
		case "number":
			return `the number ${value}`;
		case "boolean":
			return `the boolean ${value}`;
		case "object":
			return "an object";
		default:
			return `a ${typeof value}`;
	}
}
