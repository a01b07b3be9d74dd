import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { expect } from "chai";
import fc from "fast-check";
import { fieldHeader } from "./wire-format.ts";

const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

describe("fieldHeader", () => {
	it("writes tag and length of a field as the library does", () => {
		fc.assert(
			fc.property(
				fc.integer({ min: 1, max: 2 ** 29 - 1 }),
				uint32,
				(field, length) => {
					expect(fieldHeader(field, length)).to.deep.equal(
						new BinaryWriter()
							.tag(field, WireType.LengthDelimited)
							.uint32(length)
							.finish(),
					);
				},
			),
		);
	});
});
