import { expect } from "chai";
import { plain, printTable } from "./print-table.ts";

describe("printTable", () => {
	it("aligns columns by their widest cell and leaves no spaces at the end", () => {
		expect(
			printTable(
				["NAME", "SENT", "STATE"],
				[
					["reviews", "1", "up to date"],
					["a", "12", ""],
				],
				{ colours: false },
			),
		).to.equal(
			"NAME     SENT  STATE\nreviews  1     up to date\na        12\n",
		);
	});

	it("shows control characters as escapes", () => {
		expect(plain("a\u001b[31mb\nc\u009b")).to.equal(
			"a\\u001b[31mb\\u000ac\\u009b",
		);
	});
});
