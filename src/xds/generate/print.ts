import {
	createRegistry,
	fromBinary,
	type JsonValue,
	toJson,
} from "@bufbuild/protobuf";

/**
 * Turns a message in wire format into canonical proto3 JSON with the field names of Envoy's documentation and packed messages expanded, so
 * that Envoy reads it as it is. `typeUrl` is that of the `google.protobuf.Any` it came in. Throws an `Error` when a type is not a generated
 * one or the bytes are not of that type.
 */
export type Printer = (typeUrl: string, bytes: Uint8Array) => JsonValue;

/** Loads the descriptors of all message types, which only printing needs, and returns the printer. */
export async function loadPrinter(): Promise<Printer> {
	const { files } = await import("../../gen/envoy/files.js");
	const registry = createRegistry(...files);
	return (typeUrl, bytes) => {
		const typeName = typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
		const schema = registry.getMessage(typeName);
		if (schema === undefined) {
			throw new Error(`${typeUrl} is not a generated message type`);
		}
		return toJson(schema, fromBinary(schema, bytes), {
			registry,
			useProtoFieldName: true,
		});
	};
}
