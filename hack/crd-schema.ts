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

/** Everything but what is said of one use of a schema: two uses of one title agree in it. */
export function shapeOf(schema: CrdSchema): CrdSchema {
	const { description: _, default: __, ...shape } = schema;
	return shape;
}

/** The schema of an object's `spec`. */
export function specOf(root: CrdSchema): CrdSchema {
	const { spec } = root.properties ?? {};
	if (spec === undefined) throw new Error("The schema has no spec.");
	return spec;
}

/**
 * The JSON schema of a whole object. Only `spec` is looked into: metadata is
 * the same for all kinds and parsed elsewhere, and status is not the user's.
 */
export function toJsonSchema(root: CrdSchema): Record<string, unknown> {
	const $defs: Record<string, unknown> = {};
	const spec = closed(specOf(root), $defs);
	return {
		type: "object",
		additionalProperties: false,
		required: root.required ?? [],
		properties: { apiVersion: {}, kind: {}, metadata: {}, status: {}, spec },
		$defs,
	};
}

/** Objects with a title become definitions, so that each is compiled once. */
function closed(
	schema: CrdSchema,
	$defs: Record<string, unknown>,
): Record<string, unknown> {
	if (schema.title === undefined || schema.properties === undefined) {
		return closedShape(schema, $defs);
	}
	$defs[schema.title] ??= closedShape(shapeOf(schema), $defs);
	return {
		$ref: `#/$defs/${schema.title}`,
		...(schema.default === undefined ? {} : { default: schema.default }),
	};
}

function closedShape(
	schema: CrdSchema,
	$defs: Record<string, unknown>,
): Record<string, unknown> {
	const {
		description: _,
		format: __,
		items,
		properties,
		additionalProperties,
		...keywords
	} = schema;
	const type = schema["x-kubernetes-int-or-string"]
		? ["integer", "string"]
		: isStringOrObject(schema)
			? ["string", "object"]
			: schema.type;
	return {
		...Object.fromEntries(
			Object.entries(keywords).filter(
				([keyword]) => !keyword.startsWith("x-kubernetes-"),
			),
		),
		type,
		...(schema["x-kubernetes-list-type"] === "set" && { uniqueItems: true }),
		...(items && { items: closed(items, $defs) }),
		...(properties && {
			properties: Object.fromEntries(
				Object.entries(properties).map(([name, child]) => [
					name,
					closed(child, $defs),
				]),
			),
			additionalProperties: false,
		}),
		...(additionalProperties && {
			additionalProperties: closed(additionalProperties, $defs),
		}),
	};
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
export function collectCelRules(root: CrdSchema): readonly CelRule[] {
	return nodesOf(root, []).flatMap(({ at, schema }) =>
		(schema["x-kubernetes-validations"] ?? []).map((rule) => ({ at, ...rule })),
	);
}

/** The places of all maps, whose keys users choose; steps are joined by slashes. */
export function collectMaps(root: CrdSchema): readonly string[] {
	return nodesOf(root, [])
		.filter(({ schema }) => schema.additionalProperties !== undefined)
		.map(({ at }) => at.join("/"));
}

/** The places of all fields that their objects must have, in the same form. */
export function collectRequired(root: CrdSchema): readonly string[] {
	return nodesOf(root, []).flatMap(({ at, schema }) =>
		(schema.required ?? []).map((name) => [...at, name].join("/")),
	);
}

interface SchemaNode {
	readonly at: readonly string[];
	readonly schema: CrdSchema;
}

function nodesOf(
	schema: CrdSchema,
	at: readonly string[],
): readonly SchemaNode[] {
	const each = schema.items ?? schema.additionalProperties;
	return [
		{ at, schema },
		...Object.entries(schema.properties ?? {}).flatMap(([name, child]) =>
			nodesOf(child, [...at, name]),
		),
		...(each === undefined ? [] : nodesOf(each, [...at, "*"])),
	];
}
