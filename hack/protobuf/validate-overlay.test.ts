import { expect } from "chai";
import { validateOverlay } from "./validate-overlay.ts";

describe("validateOverlay", () => {
	it("leaves a file that has the fields as it is", () => {
		const text =
			"message FloatRules { optional bool ignore_empty = 8; }\nmessage EnumRules {}";
		expect(validateOverlay(text)).to.equal(text);
	});

	it("names the message that a file of another kind lacks", () => {
		expect(() => validateOverlay('syntax = "proto3";')).to.throw(
			Error,
			"FloatRules",
		);
	});
});
