import { expect } from "chai";
import { checkRegex } from "./check-regex.ts";

function check(pattern: string): { groups: number | undefined; told: string } {
	const told: string[] = [];
	const groups = checkRegex(pattern, [], (_, message) => told.push(message));
	return { groups, told: told.join("\n") };
}

describe("checkRegex", () => {
	const accepted = [
		{ pattern: "^(.*?;)?(user=jason)(;.*)?$", groups: 3 },
		{ pattern: "(?P<first>a)|(?i:B)\\d+", groups: 1 },
		{ pattern: "\\x{41}[[:alpha:]]\\pL", groups: 0 },
		{ pattern: "Straße|日本", groups: 0 },
		{ pattern: "\\Qa.b\\E(c)", groups: 1 },
		{ pattern: "[^/]{1,255}/[^/]{1,255}", groups: 0 },
	] as const;
	for (const { pattern, groups } of accepted) {
		it(`counts ${groups} groups in ${pattern}`, () => {
			expect(check(pattern)).to.deep.equal({ groups, told: "" });
		});
	}

	const refused = [
		{ pattern: "(?=a)", told: "invalid or unsupported Perl syntax: `(?=`" },
		{ pattern: "(a)\\1", told: "invalid escape sequence: `\\1`" },
		{ pattern: "a{1001}", told: "invalid repeat count" },
		{ pattern: "(a{1000}){2}", told: "invalid repeat count" },
		{ pattern: "a(", told: "missing closing )" },
		{ pattern: "\\Qa", told: "ended by \\E" },
		{ pattern: "\\x{20AC}", told: "so \\x{20AC} cannot be in it" },
		{ pattern: "[aeiou]{1000}".repeat(9), told: "too large" },
	] as const;
	for (const { pattern, told } of refused) {
		it(`refuses ${pattern.slice(0, 30)}`, () => {
			const checked = check(pattern);
			expect(checked.groups).to.equal(undefined);
			expect(checked.told).to.contain(told);
		});
	}
});
