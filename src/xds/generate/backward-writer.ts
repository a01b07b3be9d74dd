import type { JsonObject, JsonValue, UnknownField } from "@bufbuild/protobuf";
import { varintLength, writeVarint } from "../../lib/varint.ts";

const INITIAL_SIZE = 64 * 1024;
const LARGEST_KEPT_SIZE = 4 * 1024 * 1024;
/** Strings up to this length are copied by a loop; a native call costs more than the loop until then. */
const LONGEST_LOOPED_STRING = 64;
const LONGEST_LOOPED_BYTES = 24;

/**
 * Writes protobuf wire format from the last byte to the first, so that the length of a nested message is known when its prefix is written.
 * A field is written value first, then its tag. Every method that takes a `field` throws a plain `Error` that starts with it when the value
 * is not one the type allows; `field` is the full name of the field, for example `envoy.config.core.v3.SocketAddress.port_value`.
 */
export class BackwardWriter {
	#buffer = Buffer.allocUnsafeSlow(INITIAL_SIZE);
	#view = viewOf(this.#buffer);
	#position = INITIAL_SIZE;

	/** Bytes written so far. */
	size(): number {
		return this.#buffer.length - this.#position;
	}

	/** Returns a copy of what was written after `size()` was `start`, in memory that `allocate` gives, and takes it back. */
	take(start: number, allocate: (size: number) => Buffer): Uint8Array {
		const end = this.#buffer.length - start;
		const bytes = allocate(end - this.#position);
		this.#buffer.copy(bytes, 0, this.#position, end);
		this.rewind(start);
		return bytes;
	}

	/** Takes back everything written after `size()` was `start`. */
	rewind(start: number): void {
		if (start === 0 && this.#buffer.length > LARGEST_KEPT_SIZE) {
			this.#allocate(INITIAL_SIZE);
		}
		this.#position = this.#buffer.length - start;
	}

	/** Writes a tag: field number and wire type, computed by the caller. */
	tag(tag: number): void {
		this.#reserve(5);
		this.#varint(tag);
	}

	/** Completes a length-delimited field whose content was written after `size()` was `start`. */
	close(start: number, tag: number): void {
		this.#reserve(10);
		this.#varint(this.#buffer.length - this.#position - start);
		this.#varint(tag);
	}

	/** Writes `bool`. */
	bool(value: unknown, field: string): void {
		if (value !== true && value !== false) refuse(field, "a boolean", value);
		this.#reserve(1);
		this.#buffer[--this.#position] = value ? 1 : 0;
	}

	/** Writes `uint32`. */
	uint32(value: unknown, field: string): void {
		if (typeof value !== "number" || value >>> 0 !== value) {
			refuse(field, "a uint32", value);
		}
		this.#reserve(5);
		this.#varint(value);
	}

	/** Writes `int32` or an enum. */
	int32(value: unknown, field: string): void {
		if (typeof value !== "number" || (value | 0) !== value) {
			refuse(field, "an int32", value);
		}
		this.#reserve(10);
		if (value >= 0) this.#varint(value);
		else this.#varint64(value >>> 0, 0xffffffff);
	}

	/** Writes `int64`. */
	int64(value: unknown, field: string): void {
		if (typeof value !== "bigint" || BigInt.asIntN(64, value) !== value) {
			refuse(field, "an int64 as bigint", value);
		}
		this.#bigVarint(BigInt.asUintN(64, value));
	}

	/** Writes `uint64`. */
	uint64(value: unknown, field: string): void {
		if (typeof value !== "bigint" || BigInt.asUintN(64, value) !== value) {
			refuse(field, "a uint64 as bigint", value);
		}
		this.#bigVarint(value);
	}

	/** Writes `double`. Infinities and NaN are refused: nothing in a proxy's configuration means them. */
	double(value: unknown, field: string): void {
		if (typeof value !== "number" || !Number.isFinite(value)) {
			refuse(field, "a finite double", value);
		}
		this.#advance(8);
		this.#view.setFloat64(this.#position, value, true);
	}

	/** Writes `string` with its length. A lone surrogate becomes U+FFFD. */
	string(value: unknown, field: string): void {
		if (typeof value !== "string") refuse(field, "a string", value);
		const { length } = value;
		this.#reserve(length * 3 + 5);
		if (length <= LONGEST_LOOPED_STRING && this.#shortAscii(value, length)) {
			this.#buffer[--this.#position] = length;
			return;
		}
		const bytes = Buffer.byteLength(value);
		this.#position -= bytes;
		this.#buffer.write(
			value,
			this.#position,
			bytes,
			bytes === length ? "latin1" : "utf8",
		);
		this.#varint(bytes);
	}

	/** Writes `bytes` with its length. */
	bytes(value: unknown, field: string): void {
		if (!(value instanceof Uint8Array)) refuse(field, "a Uint8Array", value);
		this.#raw(value);
		this.#reserve(5);
		this.#varint(value.length);
	}

	/** Writes fields that were kept from a decoded message because its type does not know them. */
	unknownFields(fields: readonly UnknownField[]): void {
		for (const { no, wireType, data } of fields.toReversed()) {
			this.#raw(data);
			this.tag(((no << 3) | wireType) >>> 0);
		}
	}

	#raw(value: Uint8Array): void {
		const { length } = value;
		this.#advance(length);
		if (length > LONGEST_LOOPED_BYTES) {
			this.#buffer.set(value, this.#position);
			return;
		}
		for (let i = 0; i < length; i++) {
			this.#buffer[this.#position + i] = value[i] ?? 0;
		}
	}

	/** Writes the content of a `google.protobuf.Struct` from the JSON object it stands for, keys in order. */
	struct(object: JsonObject, field: string): void {
		const keys = this.sortedKeys(object);
		for (let i = keys.length - 1; i >= 0; i--) {
			const key = keys[i] ?? "";
			const entry = this.size();
			this.#jsonValue(object[key], field);
			this.close(entry, STRUCT_ENTRY_VALUE);
			this.string(key, field);
			this.tag(STRUCT_ENTRY_KEY);
			this.close(entry, STRUCT_FIELDS);
		}
	}

	/** Returns the keys of a map field with string keys in the order in which its entries are written. */
	sortedKeys(map: object): readonly string[] {
		const keys = Object.keys(map);
		for (let i = 1; i < keys.length; i++) {
			if ((keys[i - 1] ?? "") > (keys[i] ?? "")) return keys.sort();
		}
		return keys;
	}

	/** Returns the keys of a map field with integer keys in the order in which its entries are written. */
	sortedIntegerKeys(map: object): readonly string[] {
		return Object.keys(map).sort((a, b) => (BigInt(a) < BigInt(b) ? -1 : 1));
	}

	#jsonValue(value: JsonValue | undefined, field: string): void {
		switch (typeof value) {
			case "string":
				this.string(value, field);
				this.tag(VALUE_STRING);
				return;
			case "number":
				this.double(value, field);
				this.tag(VALUE_NUMBER);
				return;
			case "boolean":
				this.bool(value, field);
				this.tag(VALUE_BOOL);
				return;
			case "object": {
				if (value === null) {
					this.int32(0, field);
					this.tag(VALUE_NULL);
					return;
				}
				const start = this.size();
				if (Array.isArray(value)) {
					this.#jsonList(value, field);
					this.close(start, VALUE_LIST);
				} else {
					this.struct(value, field);
					this.close(start, VALUE_STRUCT);
				}
				return;
			}
			default:
				refuse(field, "JSON", value);
		}
	}

	#jsonList(list: readonly JsonValue[], field: string): void {
		for (let i = list.length - 1; i >= 0; i--) {
			const start = this.size();
			this.#jsonValue(list[i], field);
			this.close(start, LIST_VALUES);
		}
	}

	#shortAscii(value: string, length: number): boolean {
		const buffer = this.#buffer;
		const start = this.#position - length;
		for (let i = 0; i < length; i++) {
			const code = value.charCodeAt(i);
			if (code > 0x7f) return false;
			buffer[start + i] = code;
		}
		this.#position = start;
		return true;
	}

	#varint(value: number): void {
		if (value < 0x80) {
			this.#buffer[--this.#position] = value;
			return;
		}
		this.#position -= varintLength(value);
		writeVarint(this.#buffer, this.#position, value);
	}

	#bigVarint(value: bigint): void {
		this.#reserve(10);
		const low = Number(BigInt.asUintN(32, value));
		const high = Number(value >> 32n);
		if (high === 0) this.#varint(low);
		else this.#varint64(low, high);
	}

	#varint64(low: number, high: number): void {
		const buffer = this.#buffer;
		// Four groups of 7 bits lie in the low half, one straddles both, the rest lie in the high half.
		const upper = high >>> 3;
		let position = this.#position - (upper === 0 ? 5 : 5 + varintLength(upper));
		this.#position = position;
		for (let shift = 0; shift < 28; shift += 7) {
			buffer[position++] = ((low >>> shift) & 0x7f) | 0x80;
		}
		const straddling = (low >>> 28) | ((high & 0x7) << 4);
		if (upper === 0) {
			buffer[position] = straddling;
			return;
		}
		buffer[position++] = straddling | 0x80;
		writeVarint(buffer, position, upper);
	}

	#advance(length: number): void {
		this.#reserve(length);
		this.#position -= length;
	}

	#reserve(length: number): void {
		if (this.#position < length) this.#grow(length);
	}

	#grow(length: number): void {
		const old = this.#buffer;
		const written = old.length - this.#position;
		let size = old.length * 2;
		while (size - written < length) size *= 2;
		this.#allocate(size);
		this.#position = size - written;
		old.copy(this.#buffer, this.#position, old.length - written);
	}

	#allocate(size: number): void {
		this.#buffer = Buffer.allocUnsafeSlow(size);
		this.#view = viewOf(this.#buffer);
	}
}

// Tags of google/protobuf/struct.proto: field number * 8 + wire type.
const STRUCT_FIELDS = 0x0a;
const STRUCT_ENTRY_KEY = 0x0a;
const STRUCT_ENTRY_VALUE = 0x12;
const LIST_VALUES = 0x0a;
const VALUE_NULL = 0x08;
const VALUE_NUMBER = 0x11;
const VALUE_STRING = 0x1a;
const VALUE_BOOL = 0x20;
const VALUE_STRUCT = 0x2a;
const VALUE_LIST = 0x32;

function viewOf(buffer: Buffer): DataView {
	return new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
}

function refuse(field: string, expected: string, value: unknown): never {
	const shown =
		typeof value === "object" || typeof value === "function"
			? typeof value
			: JSON.stringify(value, (_, v) => (typeof v === "bigint" ? `${v}n` : v));
	throw new Error(`${field} takes ${expected}, not ${shown}`);
}
