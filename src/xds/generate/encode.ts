import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { encoders } from "../../gen/envoy/encoders.js";
import { BackwardWriter } from "./backward-writer.ts";

/** A packed message: what a `google.protobuf.Any` field takes. */
export interface Packed {
	/** `type.googleapis.com/` and the full name of the message type. */
	readonly typeUrl: string;
	/** The message in wire format. */
	readonly value: Uint8Array;
}

const writer = new BackwardWriter();

/**
 * Returns a message of a generated type in wire format. `message` is a literal of the fields that are set; it need not be made with `create`.
 * The bytes are those of the protobuf library's `toBinary(schema, create(schema, message))`, except that entries of maps and of
 * `google.protobuf.Struct` are sorted by key: equal content gives equal bytes.
 * Throws an `Error` naming message and field when a value does not fit its field: out of range, not finite, or of another type.
 */
export function encode<Desc extends DescMessage>(
	schema: Desc,
	message: MessageInitShape<Desc>,
): Uint8Array {
	// Resources live long: in Node's shared pool each could keep eight kilobytes of dead neighbours.
	return write(schema, message, Buffer.allocUnsafeSlow);
}

/** Returns a message of a generated type as the content of a `google.protobuf.Any`, to be encoded soon. Throws as `encode` does. */
export function pack<Desc extends DescMessage>(
	schema: Desc,
	message: MessageInitShape<Desc>,
): Packed {
	return {
		typeUrl: `type.googleapis.com/${schema.typeName}`,
		value: write(schema, message, Buffer.allocUnsafe),
	};
}

function write(
	schema: DescMessage,
	message: object,
	allocate: (size: number) => Buffer,
): Uint8Array {
	const encoder = encoders.get(schema.typeName);
	if (encoder === undefined) {
		throw new Error(`${schema.typeName} is not a generated message type`);
	}
	// A message is complete before the next begins, unless a getter of the one encodes the other.
	const start = writer.size();
	try {
		encoder(writer, message);
		return writer.take(start, allocate);
	} catch (error) {
		writer.rewind(start);
		throw error;
	}
}
