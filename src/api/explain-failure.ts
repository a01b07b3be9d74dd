import { nearestName } from "../lib/nearest-name.ts";
import { printValue } from "./print-value.ts";
import type { SchemaFailure } from "./schema.ts";

/** What a schema's failure means to the person who wrote the object, and how to mend it. */
export function explainFailure(failure: SchemaFailure): string {
	const { keyword, params, data } = failure;
	const schema = failure.parentSchema ?? {};
	const limit = String(params["limit"]);
	switch (keyword) {
		case "type":
			return explainType(schema, params["type"], data);
		case "required":
			return `The field is required. Add ${String(params["missingProperty"])}.`;
		case "additionalProperties":
			return explainUnknown(schema, String(params["additionalProperty"]));
		case "enum":
			return explainEnum(schema["enum"], data);
		case "pattern":
			return explainPattern(schema["title"], data);
		case "minimum":
		case "maximum":
			return explainRange(schema, data);
		case "minLength":
			return data === ""
				? "The value is empty. Write one, or remove the field."
				: `The value is shorter than ${limit} characters. Write a longer one.`;
		case "maxLength":
			return `The value is longer than ${limit} characters. Shorten it.`;
		case "minItems":
		case "minProperties":
			return "The value is empty, which would mean nothing. Fill it, or remove the field.";
		case "maxItems":
			return `The list has more than ${limit} entries. Shorten it, or split the object.`;
		case "maxProperties":
			return `There are more than ${limit} entries. Remove some, or split the object.`;
		case "uniqueItems":
			return `The entry is the same as entry ${Math.min(Number(params["i"]), Number(params["j"]))}. Remove one of them.`;
		default:
			return `The value does not fit the schema: ${failure.message ?? keyword}. Look up the field in the CRD.`;
	}
}

function explainType(
	schema: Readonly<Record<string, unknown>>,
	type: unknown,
	data: unknown,
): string {
	if (schema["title"] === "Duration") {
		return typeof data === "number"
			? `The value must be a duration with a unit, but is ${printValue(data)}. Write ${exampleDuration(String(data))}.`
			: `The value must be a duration, but is ${printValue(data)}. Write one such as "3s" or "100ms".`;
	}
	const types = Array.isArray(type) ? type.map(String) : [String(type)];
	const wanted = types.map((name) => TYPE_NAMES[name] ?? name).join(" or ");
	const problem = `The value must be ${wanted}, but is ${printValue(data)}.`;
	const isPlain = typeof data === "number" || typeof data === "boolean";
	if (isPlain && types.includes("string")) {
		return `${problem} Put it in quotes: "${data}".`;
	}
	if (typeof data === "string" && isNumeric(data) && types.some(isNumberType)) {
		return `${problem} Remove the quotes: ${data}.`;
	}
	if (types.includes("array")) {
		return `${problem} Write a list, also for a single entry.`;
	}
	return data === null
		? `${problem} Give it a value, or remove the field.`
		: `${problem} Write ${wanted}.`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
	array: "a list",
	boolean: "true or false",
	integer: "a whole number",
	number: "a number",
	object: "an object",
	string: "a string",
};

function isNumberType(type: string): boolean {
	return type === "integer" || type === "number";
}

function isNumeric(text: string): boolean {
	return /^-?\d+(\.\d+)?$/.test(text);
}

function explainUnknown(
	schema: Readonly<Record<string, unknown>>,
	name: string,
): string {
	const known = Object.keys(schema["properties"] ?? {});
	if (name === "true" && known.includes("on")) {
		return 'YAML 1.1 reads the name on as true. Put it in quotes: "on".';
	}
	const near = nearestName(name, known);
	return near !== undefined
		? `There is no field ${printValue(name)}. Did you mean ${near}?`
		: `There is no field ${printValue(name)} here. Remove it, or use one of ${known.join(", ")}.`;
}

function explainEnum(values: unknown, data: unknown): string {
	const known = Array.isArray(values) ? values.map(String) : [];
	const problem =
		known.length === 1
			? `The value must be ${known[0]}, but is ${printValue(data)}.`
			: `The value must be one of ${known.join(", ")}, but is ${printValue(data)}.`;
	const near = typeof data === "string" ? nearestName(data, known) : undefined;
	if (near !== undefined) return `${problem} Did you mean ${near}?`;
	return known.length === 1
		? `${problem} Write ${known[0]}, or remove the field.`
		: `${problem} Use one of these.`;
}

function explainRange(
	schema: Readonly<Record<string, unknown>>,
	data: unknown,
): string {
	const { minimum, maximum } = schema;
	const range =
		maximum === undefined
			? `at least ${String(minimum)}`
			: `between ${String(minimum)} and ${String(maximum)}`;
	return `The value must be ${range}, but is ${printValue(data)}. Write a number in that range.`;
}

function explainPattern(title: unknown, data: unknown): string {
	const problem = `The value is ${printValue(data)}, which is not`;
	if (title === "Duration") {
		return typeof data === "string" && isNumeric(data)
			? `${problem} a duration, because it has no unit. Write ${exampleDuration(data)}.`
			: `${problem} a duration. Write numbers with the units h, m, s or ms, such as "3s", "100ms" or "1m30s".`;
	}
	const form =
		PATTERNS[String(title)] ?? "of the form that the schema asks for";
	return `${problem} ${form}.`;
}

function exampleDuration(amount: string): string {
	return amount.startsWith("-")
		? 'a time that is not negative, such as "3s"'
		: `"${amount}s" for seconds, or "${amount}ms" for milliseconds`;
}

/** By the title of the schema that has the pattern. */
const PATTERNS: Readonly<Record<string, string>> = {
	DnsLabel:
		'a name. Use lower-case letters, digits and "-", with a letter or digit at both ends',
	DomainName:
		'a domain name. Use lower-case letters, digits, "-" and dots, such as "cluster.local"',
	GatewayName:
		'the name of a Gateway. Write "name" or "namespace/name", in lower-case letters, digits and "-"',
	Host: 'a host. Use lower-case letters, digits and "-", with at least one dot, such as "api.example.com" or "*.example.com"',
	HostAndPort:
		'a host with its port, such as "lateen.example.com:15012" or "[fd00::1]:15012"',
	LabelValue:
		'a label value. Use letters, digits, "-", "_" and ".", with a letter or digit at both ends',
	Locality:
		'a locality. Write "region", "region/zone" or "region/zone/subzone"',
	Quantity: 'a quantity of CPU or memory, such as "100m" or "128Mi"',
	ServerName:
		'a server name. Use lower-case letters, digits, "-", "_" and dots, such as "db.example.com"',
	ServerNamePattern:
		'a server name. Use lower-case letters, digits, "-", "_" and dots, such as "db.example.com" or "*.example.com"',
	StopDelay: 'a number of seconds, such as "5s" or "0s"',
	TrustDomain:
		'a trust domain. Use lower-case letters, digits, "-", "_" and dots, such as "cluster.local"',
};
