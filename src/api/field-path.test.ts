import { expect } from "chai";
import { printPath } from "./field-path.ts";

describe("printPath", () => {
	it("prints fields, indexes and keys as Kubernetes does", () => {
		expect(
			printPath(["spec", "match", 0, "headers", { key: "x-user" }, "prefix"]),
		).to.equal("spec.match[0].headers[x-user].prefix");
	});

	it("prints nothing for the whole object", () => {
		expect(printPath([])).to.equal("");
	});
});
