import { expect } from "chai";
import type { Resource } from "../resource.ts";
import { GenerationCount } from "./generation-count.ts";

describe("GenerationCount", () => {
	it("counts by type, and none of what was not generated", () => {
		const count = new GenerationCount();
		count.note("cluster", [resource(), resource()]);
		expect(count.counts.get("cluster")).to.equal(2);
		expect(count.counts.get("virtualHost")).to.equal(0);
	});

	it("counts what two layers share once, and what was encoded twice twice", () => {
		const count = new GenerationCount();
		const shared = resource();
		count.note("virtualHost", [shared]);
		count.note("virtualHost", [shared, resource()]);
		expect(count.counts.get("virtualHost")).to.equal(2);
	});

	function resource(): Resource {
		return { name: "a", version: "1", bytes: new Uint8Array(), origins: [] };
	}
});
