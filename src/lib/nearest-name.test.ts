import { expect } from "chai";
import { nearestName } from "./nearest-name.ts";

describe("nearestName", () => {
	const commands = ["serve", "validate", "render", "proxies", "proxy"];
	const cases = [
		{ name: "finds a letter left out", typed: "sreve", want: "serve" },
		{ name: "finds swapped neighbours", typed: "vaildate", want: "validate" },
		{ name: "prefers the fewest edits", typed: "proxie", want: "proxies" },
		{ name: "ignores case", typed: "RENDER", want: "render" },
		{ name: "does not guess wildly", typed: "frobnicate", want: undefined },
	];
	for (const { name, typed, want } of cases)
		it(name, () => expect(nearestName(typed, commands)).to.equal(want));
});
