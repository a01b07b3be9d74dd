import { explainFailure } from "./explain-failure.ts";
import type { FieldPath, FieldStep } from "./field-path.ts";
import { printPath } from "./field-path.ts";
import type { Report } from "./report.ts";
import type { Schema, SchemaFailure } from "./schema.ts";

/**
 * Checks a value against the schema and fills in its defaults in place.
 *
 * Guarantees: every failure is reported, but one place at most once, with the
 *   reason that comes first; the answer names every value that must not be
 *   relied on any more.
 */
export function checkSchema(
	schema: Schema,
	value: unknown,
	report: Report,
): readonly FieldPath[] {
	if (schema.validate(value)) return [];
	const refused: FieldPath[] = [];
	const seen = new Set<string>();
	for (const failure of schema.validate.errors ?? []) {
		const holder = parsePointer(failure.instancePath, schema.maps, value);
		const path = pathOf(failure, holder);
		refused.push(spoilsHolder(failure) ? holder : path);
		const printed = printPath(path);
		if (seen.has(printed)) continue;
		seen.add(printed);
		report(path, explainFailure(failure));
	}
	return refused;
}

/** Whether the whole object makes no sense because of a field: one is missing, or a string match says something else. */
function spoilsHolder(failure: SchemaFailure): boolean {
	const isStringOrObject = Array.isArray(failure.parentSchema?.["type"]);
	return (
		failure.keyword === "required" ||
		(failure.keyword === "additionalProperties" && isStringOrObject)
	);
}

/** The field that is to be changed: ajv names the object when a field is missing or too many. */
function pathOf(failure: SchemaFailure, holder: FieldPath): FieldPath {
	const { params } = failure;
	switch (failure.keyword) {
		case "required":
			return [...holder, String(params["missingProperty"])];
		case "additionalProperties":
			return [...holder, String(params["additionalProperty"])];
		case "uniqueItems":
			return [...holder, Math.max(Number(params["i"]), Number(params["j"]))];
		default:
			return holder;
	}
}

/** Turns `/spec/match/0/headers/x-user` into steps; only the value and the schema know which are indexes and keys. */
function parsePointer(
	pointer: string,
	maps: ReadonlySet<string>,
	root: unknown,
): FieldPath {
	const steps: FieldStep[] = [];
	const generic: string[] = [];
	let value = root;
	for (const escaped of pointer.split("/").slice(1)) {
		const name = escaped.replaceAll("~1", "/").replaceAll("~0", "~");
		if (Array.isArray(value)) {
			steps.push(Number(name));
			value = value[Number(name)];
			generic.push("*");
			continue;
		}
		const isKey = maps.has(generic.join("/"));
		steps.push(isKey ? { key: name } : name);
		generic.push(isKey ? "*" : name);
		value = isRecord(value) ? value[name] : undefined;
	}
	return steps;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null;
}
