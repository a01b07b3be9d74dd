import { expect } from "chai";
import { findErrorCodes } from "./error-codes.ts";

describe("findErrorCodes", () => {
	it("reads each code of a union with its comment", () => {
		const found = findErrorCodes(
			"a.ts",
			`export class A extends CodedError {
	readonly code:
		/** It broke; badly. Next: mend it. */
		| "A_BROKE"
		/**
		 * It is gone.
		 * Next: look for it.
		 */
		| "A_GONE";
	readonly other = "A_NO_CODE";
}`,
		);
		expect(found.problems).to.deep.equal([]);
		expect(found.codes).to.deep.equal([
			{ code: "A_BROKE", means: "It broke; badly.", next: "Mend it." },
			{ code: "A_GONE", means: "It is gone.", next: "Look for it." },
		]);
	});

	it("reads the only code of a class, and of every class in a file", () => {
		const source = (name: string) =>
			`class X extends CodedError {
	/** About the name. */
	override readonly name = "X";
	/** It broke. Next: mend it. */
	readonly code = "${name}";
}
`;
		const { codes } = findErrorCodes("a.ts", source("A_ONE") + source("A_TWO"));
		expect(codes.map(({ code }) => code)).to.deep.equal(["A_ONE", "A_TWO"]);
		expect(codes[0]?.means).to.equal("It broke.");
	});

	it("names the code that nobody explains", () => {
		const { codes, problems } = findErrorCodes(
			"a.ts",
			`class A extends CodedError { readonly code: "A_ONE" | "A_TWO"; }`,
		);
		expect(codes).to.deep.equal([]);
		expect(problems).to.have.length(2);
		expect(problems[1]).to.include("a.ts: A_TWO");
	});

	it("leaves other classes alone", () => {
		expect(
			findErrorCodes("a.ts", `class A extends Error { code = "A"; }`).codes,
		).to.deep.equal([]);
	});
});
