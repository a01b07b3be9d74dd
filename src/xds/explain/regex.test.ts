import { expect } from "chai";
import { regexMatches, regexReplace } from "./regex.ts";

describe("regexReplace", () => {
	const cases: readonly (readonly [string, string, string, string])[] = [
		["^.*$", "/new", "/old", "/new"],
		["/([a-z]+)/([0-9]+)", "/\\2/\\1", "/items/17", "/17/items"],
		["a", "b", "banana", "bbnbnb"],
		["x*", "-", "axb", "-a-b-"],
		["b", "\\\\", "abc", "a\\c"],
		["(a)|(b)", "[\\1\\2]", "ab", "[a][b]"],
		["é", "e", "café", "cafe"],
		["z", "y", "abc", "abc"],
	];
	for (const [pattern, replacement, text, result] of cases)
		it(`makes ${result} of ${text} by ${pattern} → ${replacement}`, () => {
			expect(regexReplace(pattern, replacement, text)).to.equal(result);
		});
});

describe("regexMatches", () => {
	it("asks for the whole text, byte by byte", () => {
		expect(regexMatches("/a", "/ab")).to.equal(false);
		expect(regexMatches("/a.*", "/ab")).to.equal(true);
		// A letter outside ASCII is two bytes.
		expect(regexMatches("caf.", "café")).to.equal(false);
		expect(regexMatches("caf..", "café")).to.equal(true);
	});
});
