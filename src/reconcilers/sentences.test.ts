import { expect } from "chai";
import { bounded, printNames, quoted } from "./sentences.ts";

describe("sentences", () => {
	it("names all when all are known, and counts the rest otherwise", () => {
		expect(printNames(["a"], 1)).to.equal("a");
		expect(printNames(["a", "b", "c"], 3)).to.equal("a, b and c");
		expect(printNames(["a", "b"], 7)).to.equal("a, b and 5 more");
		expect(printNames([], 2)).to.equal("2 that cannot be named");
	});

	it("never cuts a character in half", () => {
		const text = bounded("ab😀cd", 4);
		expect(text).to.equal("ab…");
		expect(bounded("ab😀", 4)).to.equal("ab😀");
	});

	it("puts somebody else's words on one line", () => {
		expect(quoted(" a\n\tb ")).to.equal("a b");
		expect(quoted("x".repeat(5000)).length).to.equal(600);
	});
});
