/** One step into a value: a field, an index of a list, or a key of a map, which users choose. */
export type FieldStep = string | number | { readonly key: string };

/** Where in an object a value stands. */
export type FieldPath = readonly FieldStep[];

/** The path as Kubernetes prints it: `spec.match[0].headers[x-user]`; empty for the whole object. */
export function printPath(path: FieldPath): string {
	let text = "";
	for (const step of path) {
		if (typeof step === "number") text += `[${step}]`;
		else if (typeof step === "object") text += `[${step.key}]`;
		else text += text === "" ? step : `.${step}`;
	}
	return text;
}
