import { varintLength, writeVarint } from "../../lib/varint.ts";

/**
 * A message with more elements of one repeated field, already encoded. In
 * protobuf's wire format that is concatenation.
 */
export function appendMessages(
	base: Uint8Array,
	fieldNumber: number,
	messages: readonly Uint8Array[],
): Uint8Array {
	const tag = (fieldNumber << 3) | 2;
	let length = base.length;
	for (const { length: size } of messages) {
		length += varintLength(tag) + varintLength(size) + size;
	}
	const bytes = new Uint8Array(length);
	bytes.set(base);
	let offset = base.length;
	for (const message of messages) {
		offset = writeVarint(bytes, offset, tag);
		offset = writeVarint(bytes, offset, message.length);
		bytes.set(message, offset);
		offset += message.length;
	}
	return bytes;
}
