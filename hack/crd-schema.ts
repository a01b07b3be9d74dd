/** The used part of a Kubernetes structural schema. */
export interface CrdSchema {
	readonly type?: string;
	readonly title?: string;
	readonly description?: string;
	readonly default?: unknown;
	readonly enum?: readonly unknown[];
	readonly items?: CrdSchema;
	readonly properties?: Readonly<Record<string, CrdSchema>>;
	readonly additionalProperties?: CrdSchema;
	readonly required?: readonly string[];
	readonly "x-kubernetes-int-or-string"?: boolean;
	readonly "x-kubernetes-list-type"?: string;
	readonly "x-kubernetes-list-map-keys"?: readonly string[];
	readonly "x-kubernetes-preserve-unknown-fields"?: boolean;
	readonly "x-kubernetes-validations"?: readonly {
		readonly rule: string;
		readonly message?: string;
		readonly messageExpression?: string;
		readonly fieldPath?: string;
	}[];
	readonly [keyword: string]: unknown;
}

/** Whether the node is our form of "a bare string, or exactly this object". */
export function isStringOrObject(schema: CrdSchema): boolean {
	return schema.type === undefined && schema.properties !== undefined;
}

/**
 * The JSON schema of a whole object. Only `spec` is looked into: metadata is
 * the same for all kinds and parsed elsewhere, and status is not the user's.
 */
export function toJsonSchema(root: CrdSchema): Record<string, unknown> {
	const spec = root.properties?.["spec"];
	if (spec === undefined) throw new Error("The schema has no spec.");
	return {
		type: "object",
		additionalProperties: false,
		required: root.required ?? [],
		properties: {
			apiVersion: {},
			kind: {},
			metadata: {},
			status: {},
			spec: closed(spec),
		},
	};
}

function closed(schema: CrdSchema): Record<string, unknown> {
	const json: Record<string, unknown> = {};
	for (const [keyword, value] of Object.entries(schema)) {
		if (keyword.startsWith("x-kubernetes-")) continue;
		if (keyword === "description" || keyword === "format") continue;
		json[keyword] = value;
	}
	if (schema["x-kubernetes-int-or-string"])
		json["type"] = ["integer", "string"];
	if (isStringOrObject(schema)) json["type"] = ["string", "object"];
	// Keyed lists are checked by hand, because the message names the key.
	if (schema["x-kubernetes-list-type"] === "set") json["uniqueItems"] = true;
	if (schema["x-kubernetes-list-type"] === "map") {
		json["listMapKeys"] = schema["x-kubernetes-list-map-keys"];
	}
	if (schema.items !== undefined) json["items"] = closed(schema.items);
	if (schema.properties !== undefined) {
		json["properties"] = mapValues(schema.properties, closed);
		json["additionalProperties"] = false;
	}
	if (schema.additionalProperties !== undefined) {
		json["additionalProperties"] = closed(schema.additionalProperties);
	}
	return json;
}

/** A CEL rule with the place it is about; `*` stands for every item or key. */
export interface CelRule {
	readonly at: readonly string[];
	readonly rule: string;
	readonly message?: string;
	readonly messageExpression?: string;
	readonly fieldPath?: string;
}

/** All CEL rules of a schema, outermost first. */
export function collectCelRules(
	schema: CrdSchema,
	at: readonly string[] = [],
): readonly CelRule[] {
	const own = (schema["x-kubernetes-validations"] ?? []).map((rule) => ({
		at,
		...rule,
	}));
	const children = Object.entries(schema.properties ?? {}).flatMap(
		([name, child]) => collectCelRules(child, [...at, name]),
	);
	const each = schema.items ?? schema.additionalProperties;
	return [
		...own,
		...children,
		...(each === undefined ? [] : collectCelRules(each, [...at, "*"])),
	];
}

function mapValues<A, B>(
	record: Readonly<Record<string, A>>,
	map: (value: A) => B,
): Record<string, B> {
	return Object.fromEntries(
		Object.entries(record).map(([key, value]) => [key, map(value)]),
	);
}
