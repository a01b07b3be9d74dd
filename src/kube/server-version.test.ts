import { expect } from "chai";
import { parseServerVersion } from "./server-version.ts";

describe("parseServerVersion", () => {
	const table = [
		['{"major":"1","minor":"35"}', { major: 1, minor: 35 }],
		['{"major":"1","minor":"28+"}', { major: 1, minor: 28 }],
		['{"major":1,"minor":30}', { major: 1, minor: 30 }],
		['{"major":"1"}', undefined],
		['{"major":"1","minor":"new"}', undefined],
		["[]", undefined],
		["<html>", undefined],
	] as const;
	for (const [text, version] of table)
		it(`reads ${text}`, () => {
			expect(parseServerVersion(text)).to.deep.equal(version);
		});
});
