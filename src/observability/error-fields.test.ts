import { expect } from "chai";
import { errorFields } from "./error-fields.ts";

describe("errorFields", () => {
	it("keeps the code of an error of the operating system, and drops its stack", () => {
		const error = Object.assign(new Error("gone"), { code: "ENOENT" });
		expect(errorFields(error)).to.deep.equal({
			name: "Error",
			message: "gone",
			code: "ENOENT",
		});
	});

	it("shows the way to a mistake of ours", () => {
		expect(errorFields(new TypeError("boom")).stack).to.include(
			"error-fields.test.ts",
		);
	});

	it("takes whatever was thrown", () => {
		expect(errorFields("text")).to.deep.equal({
			name: "Unknown",
			message: "text",
		});
	});
});
