/** Bytes that a protobuf varint of an unsigned 32-bit integer takes. */
export function varintLength(value: number): number {
	if (value < 0x80) return 1;
	if (value < 0x4000) return 2;
	if (value < 0x200000) return 3;
	return value < 0x10000000 ? 4 : 5;
}

/** Writes an unsigned 32-bit integer as protobuf varint at `offset` and returns the offset after it. The bytes must have room. */
export function writeVarint(
	bytes: Uint8Array,
	offset: number,
	value: number,
): number {
	let rest = value;
	let position = offset;
	while (rest > 0x7f) {
		bytes[position++] = (rest & 0x7f) | 0x80;
		rest >>>= 7;
	}
	bytes[position++] = rest;
	return position;
}
