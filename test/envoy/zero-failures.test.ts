import { join } from "node:path";
import { expect } from "chai";
import { printFailure, run } from "../zero-failures/run.ts";
import { readShape } from "../zero-failures/shape.ts";

const shape = readShape(
	join(import.meta.dirname, "../zero-failures/shapes/default.yaml"),
);

describe("sixty random valid changes under load", () => {
	it("fail no request, and leave the Envoys with what a fresh render says", async () => {
		const result = await run({
			seed: 60,
			changes: 60,
			shape,
			serveFlags: ["--removal-delay", "3s"],
			print: () => undefined,
		});
		expect(result.failures.map(printFailure)).to.deep.equal([]);
		expect(result.failed).to.equal(0);
		expect(result.unanswered).to.deep.equal([]);
		expect(result.rejections).to.deep.equal([]);
		expect(result.differences).to.deep.equal([]);
		expect(result.requests).to.be.above(300);
	});
});
