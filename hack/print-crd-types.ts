import { isDeepStrictEqual } from "node:util";
import type { CrdSchema } from "./crd-schema.ts";
import { isStringOrObject, shapeOf, specOf } from "./crd-schema.ts";

/**
 * The TypeScript types of a kind's `spec` as it is after defaults: deeply
 * readonly, a field with a default is always there, and every node with a
 * `title` is a type of that name.
 */
export function printCrdTypes(root: CrdSchema): string {
	const named = new Map<string, CrdSchema>();
	collectNamed(specOf(root), named);
	return [...named]
		.map(([name, schema]) => `\n${printNamed(name, schema)}`)
		.join("");
}

/** Finds the titled nodes, and makes sure that one title means one schema. */
function collectNamed(schema: CrdSchema, named: Map<string, CrdSchema>): void {
	if (schema.title !== undefined) {
		const known = named.get(schema.title);
		if (known === undefined) named.set(schema.title, schema);
		else if (!isDeepStrictEqual(shapeOf(known), shapeOf(schema))) {
			throw new Error(`Two different schemas are titled ${schema.title}.`);
		} else if (known.description !== schema.description) {
			// Said of one use and not of the type, so it stands at the fields only.
			const { description: _, ...rest } = known;
			named.set(schema.title, rest);
		}
	}
	for (const child of childrenOf(schema)) collectNamed(child, named);
}

function childrenOf(schema: CrdSchema): readonly CrdSchema[] {
	return [
		...Object.values(schema.properties ?? {}),
		...(schema.items === undefined ? [] : [schema.items]),
		...(schema.additionalProperties === undefined
			? []
			: [schema.additionalProperties]),
	];
}

function printNamed(name: string, schema: CrdSchema): string {
	const doc = printDoc(schema, "");
	const body = printShape(schema, "");
	return schema.type === "object" && schema.properties !== undefined
		? `${doc}export interface ${name} ${body}\n`
		: `${doc}export type ${name} = ${body};\n`;
}

function printType(schema: CrdSchema, indent: string): string {
	return schema.title ?? printShape(schema, indent);
}

function printShape(schema: CrdSchema, indent: string): string {
	if (schema["x-kubernetes-int-or-string"]) return "number | string";
	if (schema.enum !== undefined) {
		return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
	}
	if (isStringOrObject(schema)) {
		return `string | ${printObject(schema, indent)}`;
	}
	switch (schema.type) {
		case "string":
		case "boolean":
			return schema.type;
		case "integer":
		case "number":
			return "number";
		case "array": {
			const item = printType(required(schema.items), indent);
			return / \| /.test(item) ? `readonly (${item})[]` : `readonly ${item}[]`;
		}
		case "object":
			if (schema.properties !== undefined) return printObject(schema, indent);
			// Whoever reads what may hold anything has to look.
			if (schema["x-kubernetes-preserve-unknown-fields"] === true)
				return "{ readonly [key: string]: unknown }";
			return `{ readonly [key: string]: ${printType(required(schema.additionalProperties), indent)} }`;
		default:
			throw new Error(
				`A schema of type ${schema.type} has no TypeScript form.`,
			);
	}
}

function printObject(schema: CrdSchema, indent: string): string {
	const inner = `${indent}\t`;
	const fields = Object.entries(schema.properties ?? {}).map(
		([name, field]) => {
			const always =
				field.default !== undefined || schema.required?.includes(name);
			return `${printDoc(field, inner)}${inner}readonly ${name}${always ? "" : "?"}: ${printType(field, inner)};\n`;
		},
	);
	return `{\n${fields.join("")}${indent}}`;
}

function printDoc(schema: CrdSchema, indent: string): string {
	return schema.description === undefined
		? ""
		: `${indent}/** ${schema.description.replaceAll("*/", "*\\/")} */\n`;
}

function required(schema: CrdSchema | undefined): CrdSchema {
	if (schema === undefined)
		throw new Error("A list or map has no item schema.");
	return schema;
}
