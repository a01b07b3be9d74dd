import {
	type DescField,
	type DescMessage,
	type DescOneof,
	ScalarType,
} from "@bufbuild/protobuf";
import {
	Edition,
	FeatureSet_FieldPresence,
	isWrapperDesc,
} from "@bufbuild/protobuf/wkt";

/** How a scalar is written: the writer's method, the wire type, and the condition under which `x` is not the zero value. */
interface Scalar {
	readonly method: string;
	readonly wireType: number;
	readonly isSet: string;
}

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;

/** Scalar types that occur in the Envoy API. */
const SCALARS: ReadonlyMap<ScalarType, Scalar> = new Map([
	[
		ScalarType.DOUBLE,
		{ method: "double", wireType: FIXED64, isSet: "!Object.is(x, 0)" },
	],
	[ScalarType.INT64, { method: "int64", wireType: VARINT, isSet: "x !== 0n" }],
	[
		ScalarType.UINT64,
		{ method: "uint64", wireType: VARINT, isSet: "x !== 0n" },
	],
	[ScalarType.INT32, { method: "int32", wireType: VARINT, isSet: "x !== 0" }],
	[ScalarType.UINT32, { method: "uint32", wireType: VARINT, isSet: "x !== 0" }],
	[ScalarType.BOOL, { method: "bool", wireType: VARINT, isSet: "x !== false" }],
	[
		ScalarType.STRING,
		{ method: "string", wireType: LENGTH_DELIMITED, isSet: 'x !== ""' },
	],
	[
		ScalarType.BYTES,
		{ method: "bytes", wireType: LENGTH_DELIMITED, isSet: "x.length !== 0" },
	],
]);

/**
 * Returns the source of `encoders.js`: one function per message type that writes a message, or the plain object it can be made from, with a
 * backward writer, and a map of these functions by type name. The bytes are those of the protobuf library, except that map entries are
 * sorted by key. Throws on what no function exists for: anything but proto3, groups, required fields and the scalar types that the Envoy API does not use.
 */
export function encoderSource(types: readonly DescMessage[]): string {
	const sorted = [...types].sort((a, b) => (a.typeName < b.typeName ? -1 : 1));
	return [
		"// Written by hack/generate-protobuf.ts; do not edit.",
		"/* eslint-disable */",
		...sorted.map(encoderFunction),
		"export const encoders = new Map([",
		...sorted.map((type) => `\t["${type.typeName}", ${functionName(type)}],`),
		"]);",
		"",
	].join("\n");
}

/** The declarations of `encoders.js`. */
export const ENCODER_DECLARATIONS = `// Written by hack/generate-protobuf.ts; do not edit.
/* eslint-disable */
import type { JsonObject, UnknownField } from "@bufbuild/protobuf";

/** What the encoders need of a writer that fills its buffer from the end. */
export interface EncoderOutput {
	size(): number;
	close(start: number, tag: number): void;
	tag(tag: number): void;
	unknownFields(fields: readonly UnknownField[]): void;
	struct(object: JsonObject, field: string): void;
	sortedKeys(map: object): readonly string[];
	sortedIntegerKeys(map: object): readonly string[];
${[...new Set([...SCALARS.values()].map(({ method }) => method))]
	.map((method) => `\t${method}(value: unknown, field: string): void;`)
	.join("\n")}
}
/** Writes the fields of one message type. */
export type Encoder = (writer: EncoderOutput, message: object) => void;
/** The encoders of all generated message types by type name. */
export declare const encoders: ReadonlyMap<string, Encoder>;
`;

function encoderFunction(type: DescMessage): string {
	if (type.file.edition !== Edition.EDITION_PROTO3) {
		throw new Error(`${type.typeName}: only proto3 has encoders`);
	}
	const descending = [...type.fields].sort((a, b) => b.number - a.number);
	return [
		`function ${functionName(type)}(w, m) {`,
		"\tif (m.$unknown !== undefined) w.unknownFields(m.$unknown);",
		...type.oneofs.map(
			(oneof) =>
				`\tconst ${oneofVariable(oneof)} = ${property("m", oneof)}?.case;`,
		),
		...descending.map((field) => `\t${fieldStatement(field)}`),
		"}",
	].join("\n");
}

function fieldStatement(field: DescField): string {
	if (field.presence === FeatureSet_FieldPresence.LEGACY_REQUIRED) {
		throw new Error(`${fullName(field)}: a required field has no encoder`);
	}
	switch (field.fieldKind) {
		case "list":
			return listStatement(field);
		case "map":
			return mapStatement(field);
		case "message":
		case "scalar":
		case "enum":
			return singularStatement(field);
	}
}

function singularStatement(
	field: DescField & { fieldKind: "message" | "scalar" | "enum" },
): string {
	const write = singularValue(field);
	if (field.oneof !== undefined) {
		return `if (${oneofVariable(field.oneof)} === "${field.localName}") { const x = ${property("m", field.oneof)}.value; ${write} }`;
	}
	const conditions = ["x != null"];
	if (field.presence === FeatureSet_FieldPresence.IMPLICIT) {
		if (field.fieldKind === "enum") conditions.push("x !== 0");
		if (field.fieldKind === "scalar")
			conditions.push(scalarOf(field.scalar, field).isSet);
	}
	return `{ const x = ${property("m", field)}; if (${conditions.join(" && ")}) { ${write} } }`;
}

function singularValue(
	field: DescField & { fieldKind: "message" | "scalar" | "enum" },
): string {
	switch (field.fieldKind) {
		case "scalar":
			return scalarValue(field.scalar, field, field.number);
		case "enum":
			return scalarValue(ScalarType.INT32, field, field.number);
		case "message": {
			const [wrapped] = field.message.fields;
			const isUnwrapped =
				field.oneof === undefined && isWrapperDesc(field.message);
			if (!isUnwrapped || wrapped?.fieldKind !== "scalar") {
				return messageValue(field.message, field, field.number);
			}
			const { isSet } = scalarOf(wrapped.scalar, field);
			const inner = scalarValue(wrapped.scalar, field, wrapped.number);
			return `const s = w.size(); if (${isSet}) { ${inner} } w.close(s, ${tag(field.number, LENGTH_DELIMITED)});`;
		}
	}
}

function listStatement(field: DescField & { fieldKind: "list" }): string {
	if (field.listKind === "message") {
		return eachBackward(
			field,
			messageValue(field.message, field, field.number),
		);
	}
	const scalar = field.listKind === "enum" ? ScalarType.INT32 : field.scalar;
	if (!field.packed) {
		return eachBackward(field, scalarValue(scalar, field, field.number));
	}
	const { method } = scalarOf(scalar, field);
	return `{ const l = ${property("m", field)}; if (l != null && l.length !== 0) { const s = w.size(); for (let i = l.length - 1; i >= 0; i--) w.${method}(l[i], ${label(field)}); w.close(s, ${tag(field.number, LENGTH_DELIMITED)}); } }`;
}

function eachBackward(field: DescField, write: string): string {
	return `{ const l = ${property("m", field)}; if (l != null) for (let i = l.length - 1; i >= 0; i--) { const x = l[i]; ${write} } }`;
}

function mapStatement(field: DescField & { fieldKind: "map" }): string {
	const key = mapKey(field);
	return [
		`{ const o = ${property("m", field)}; if (o != null) { const ks = w.${key.order}(o);`,
		"for (let i = ks.length - 1; i >= 0; i--) {",
		`const k = ks[i], x = o[k], e = w.size(); ${mapValue(field)}`,
		`w.${scalarOf(field.mapKey, field).method}(${key.value}, ${label(field)}); w.tag(${tag(1, scalarOf(field.mapKey, field).wireType)});`,
		`w.close(e, ${tag(field.number, LENGTH_DELIMITED)}); } } }`,
	].join(" ");
}

function mapValue(field: DescField & { fieldKind: "map" }): string {
	switch (field.mapKind) {
		case "message":
			return messageValue(field.message, field, 2);
		case "enum":
			return scalarValue(ScalarType.INT32, field, 2);
		case "scalar":
			return scalarValue(field.scalar, field, 2);
	}
}

/** How the property names of a map field become its keys. */
function mapKey(field: DescField & { fieldKind: "map" }): {
	readonly order: "sortedKeys" | "sortedIntegerKeys";
	readonly value: string;
} {
	switch (field.mapKey) {
		case ScalarType.STRING:
			return { order: "sortedKeys", value: "k" };
		case ScalarType.BOOL:
			return { order: "sortedKeys", value: 'k === "true"' };
		case ScalarType.INT64:
		case ScalarType.UINT64:
			return { order: "sortedIntegerKeys", value: "BigInt(k)" };
		default:
			return { order: "sortedIntegerKeys", value: "Number(k)" };
	}
}

/** Writes the message `x` as field number `number`. */
function messageValue(
	type: DescMessage,
	field: DescField,
	number: number,
): string {
	if ("delimitedEncoding" in field && field.delimitedEncoding) {
		throw new Error(`${fullName(field)}: a group has no encoder`);
	}
	// The library stands a JSON object for a Struct everywhere but inside of google.protobuf.Value.
	const isJson =
		type.typeName === "google.protobuf.Struct" &&
		field.parent.typeName !== "google.protobuf.Value";
	const content = isJson
		? `w.struct(x, ${label(field)})`
		: `${functionName(type)}(w, x)`;
	return `const s = w.size(); ${content}; w.close(s, ${tag(number, LENGTH_DELIMITED)});`;
}

/** Writes the scalar `x` as field number `number`. */
function scalarValue(
	type: ScalarType,
	field: DescField,
	number: number,
): string {
	const { method, wireType } = scalarOf(type, field);
	return `w.${method}(x, ${label(field)}); w.tag(${tag(number, wireType)});`;
}

function scalarOf(type: ScalarType, field: DescField): Scalar {
	const scalar = SCALARS.get(type);
	if (scalar !== undefined) return scalar;
	throw new Error(`${fullName(field)}: ${ScalarType[type]} has no encoder`);
}

function tag(number: number, wireType: number): number {
	return ((number << 3) | wireType) >>> 0;
}

function label(field: DescField): string {
	return JSON.stringify(fullName(field));
}

function fullName(field: DescField): string {
	return `${field.parent.typeName}.${field.name}`;
}

function property(object: string, member: DescField | DescOneof): string {
	return `${object}.${member.localName}`;
}

function oneofVariable(oneof: DescOneof): string {
	return `${oneof.localName}Case`;
}

function functionName(type: DescMessage): string {
	return type.typeName.replaceAll(".", "_");
}
