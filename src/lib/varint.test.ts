import { BinaryWriter } from "@bufbuild/protobuf/wire";
import { expect } from "chai";
import fc from "fast-check";
import { varintLength, writeVarint } from "./varint.ts";

const uint32 = fc.oneof(
	fc.integer({ min: 0, max: 2 ** 32 - 1 }),
	fc.constantFrom(0, 127, 128, 16_383, 16_384, 2 ** 21, 2 ** 28, 2 ** 32 - 1),
);

describe("writeVarint", () => {
	it("writes what the library writes, in the stated length", () => {
		fc.assert(
			fc.property(uint32, (value) => {
				const expected = new BinaryWriter().uint32(value).finish();
				const bytes = new Uint8Array(8);
				const end = writeVarint(bytes, 1, value);
				expect(bytes.slice(1, end)).to.deep.equal(expected);
				expect(varintLength(value)).to.equal(expected.length);
			}),
		);
	});
});
