import { Environment, EvaluationError } from "@marcbachmann/cel-js";
import { memoByInput } from "../lib/memo.ts";
import type { FieldPath, FieldStep } from "./field-path.ts";
import type { Report } from "./report.ts";
import type { CelRule, Schema } from "./schema.ts";

interface CompiledRule {
	readonly source: CelRule;
	readonly evaluate: (context: { readonly self: unknown }) => unknown;
	readonly message:
		| ((context: { readonly self: unknown }) => unknown)
		| undefined;
	/** Fields of `self` whose value matters, and not only whether they are there. */
	readonly reads: readonly string[];
	/** Where the violation is shown, from the value that the rule is about. */
	readonly shownAt: FieldPath;
}

/**
 * Evaluates the CEL rules of a CRD (`x-kubernetes-validations`) as the API server does.
 *
 * A rule that reads a value which the schema refused says nothing: it would
 * repeat the complaint in other words, or fail.
 */
export function checkCelRules(
	schema: Schema,
	value: unknown,
	refused: readonly FieldPath[],
	report: Report,
): void {
	for (const rule of compileAll(schema)) {
		for (const place of placesOf(rule.source.at, value)) {
			const self = place.value;
			const unreliable = rule.reads.some((field) =>
				refused.some((path) => isWithin(path, [...place.path, field])),
			);
			if (unreliable || holds(rule, self)) continue;
			report([...place.path, ...rule.shownAt], messageOf(rule, self));
		}
	}
}

/** A rule that cannot be evaluated does not hold, as on the API server. */
function holds(rule: CompiledRule, self: unknown): boolean {
	try {
		return rule.evaluate({ self }) === true;
	} catch (error) {
		if (error instanceof EvaluationError) return false;
		throw error;
	}
}

/** Compiled when a kind is first checked. */
const compileAll = memoByInput((schema: Schema): readonly CompiledRule[] => {
	const environment = new Environment().registerVariable("self", "dyn");
	return schema.celRules.map((source) => ({
		source,
		evaluate: environment.parse(unescapeFields(source.rule)),
		message:
			source.messageExpression === undefined
				? undefined
				: environment.parse(unescapeFields(source.messageExpression)),
		reads: fieldsRead(source.rule),
		shownAt: parseFieldPath(source.fieldPath ?? ""),
	}));
});

/** Kubernetes writes fields whose names are reserved in CEL as `__namespace__`; our engine takes them as they are. */
function unescapeFields(expression: string): string {
	return expression.replace(/\.__([a-z]+)__(?=\W|$)/g, ".$1");
}

function fieldsRead(rule: string): readonly string[] {
	const values = rule.replace(/has\(self\.\w+\)/g, "");
	return [...values.matchAll(/\bself\.(\w+)/g)].map(([, field]) => field ?? "");
}

function parseFieldPath(path: string): FieldPath {
	return [...path.matchAll(/\.(\w+)|\['([^']*)'\]/g)].map(([, field, key]) =>
		field !== undefined ? field : { key: key ?? "" },
	);
}

function messageOf(rule: CompiledRule, self: unknown): string {
	const made = rule.message?.({ self });
	if (typeof made === "string" && made.trim() !== "") return made;
	return (
		rule.source.message ?? `The value breaks the rule ${rule.source.rule}.`
	);
}

interface Place {
	readonly path: FieldPath;
	readonly value: unknown;
}

/** Every object that a rule is about; none where the value is absent or no object. */
function placesOf(at: readonly string[], root: unknown): readonly Place[] {
	let places: readonly Place[] = [{ path: [], value: root }];
	for (const step of at) {
		places = places.flatMap(({ path, value }) =>
			step === "*" ? childrenOf(path, value) : fieldOf(path, value, step),
		);
	}
	return places.filter(({ value }) => isObject(value));
}

function fieldOf(path: FieldPath, value: unknown, name: string): Place[] {
	if (!isObject(value) || !Object.hasOwn(value, name)) return [];
	return [{ path: [...path, name], value: Reflect.get(value, name) }];
}

function childrenOf(path: FieldPath, value: unknown): Place[] {
	if (Array.isArray(value)) {
		return value.map((item: unknown, index) => ({
			path: [...path, index],
			value: item,
		}));
	}
	if (!isObject(value)) return [];
	return Object.entries(value).map(([key, item]) => ({
		path: [...path, { key }],
		value: item,
	}));
}

function isObject(value: unknown): value is object {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWithin(path: FieldPath, outer: FieldPath): boolean {
	return (
		path.length >= outer.length &&
		outer.every((step, index) => isSameStep(step, path[index]))
	);
}

function isSameStep(a: FieldStep, b: FieldStep | undefined): boolean {
	return typeof a === "object" && typeof b === "object"
		? a.key === b.key
		: a === b;
}
