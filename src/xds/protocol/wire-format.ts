import { varintLength, writeVarint } from "../../lib/varint.ts";

const LENGTH_DELIMITED = 2;

/** What precedes the content of a length-delimited protobuf field: tag and length. `field` is the field number, `length` counts bytes. */
export function fieldHeader(field: number, length: number): Uint8Array {
	const tag = ((field << 3) | LENGTH_DELIMITED) >>> 0;
	const header = new Uint8Array(varintLength(tag) + varintLength(length));
	writeVarint(header, writeVarint(header, 0, tag), length);
	return header;
}
