import { expect } from "chai";
import { normalizePath } from "./normalize-path.ts";

const how = { normalize: true, mergeSlashes: false };

describe("normalizePath", () => {
	for (const [path, normal] of [
		["/a/../b", "/b"],
		["/a/%2e%2E/b", "/b"],
		["/./a", "/a"],
		["/%61%7e", "/a~"],
		["/a%2Fb", "/a%2Fb"],
		["/a\\b", "/a/b"],
		["//a", "//a"],
		["/a?x=/../y", "/a?x=/../y"],
		["", ""],
	] as const)
		it(`makes ${JSON.stringify(normal)} of ${JSON.stringify(path)}`, () => {
			expect(normalizePath(path, how)).to.equal(normal);
		});

	it("makes one slash of several only where that is asked for", () => {
		expect(
			normalizePath("//a///b?c=//", { ...how, mergeSlashes: true }),
		).to.equal("/a/b?c=//");
		expect(
			normalizePath("/a/../b", { normalize: false, mergeSlashes: false }),
		).to.equal("/a/../b");
	});
});
