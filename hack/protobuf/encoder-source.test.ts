import type { DescMessage } from "@bufbuild/protobuf";
import {
	FieldDescriptorProtoSchema,
	FloatValueSchema,
	StringValueSchema,
} from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { encoderSource } from "./encoder-source.ts";

describe("encoderSource", () => {
	it("gives the same source for the same types in any order", () => {
		expect(encoderSource(wrappers())).to.equal(
			encoderSource(wrappers().toReversed()),
		);
	});

	it("refuses a scalar type that no encoder exists for, naming the field", () => {
		expect(() => encoderSource([FloatValueSchema])).to.throw(
			Error,
			"google.protobuf.FloatValue.value: FLOAT",
		);
	});

	it("refuses proto2, whose defaults it does not know", () => {
		expect(() => encoderSource([FieldDescriptorProtoSchema])).to.throw(
			Error,
			"google.protobuf.FieldDescriptorProto: only proto3",
		);
	});
});

function wrappers(): readonly DescMessage[] {
	return StringValueSchema.file.messages.filter(
		(type) => type.typeName !== FloatValueSchema.typeName,
	);
}
