import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { loadPrinter, type Printer } from "../../src/xds/generate/print.ts";
import { renderGolden } from "../testkit/golden.ts";

const root = import.meta.dirname;

describe("what a proxy gets", () => {
	let print: Printer;
	before(async () => {
		print = await loadPrinter();
	});

	for (const feature of readdirSync(root)) {
		if (!statSync(join(root, feature)).isDirectory()) continue;
		it(`is as written down for ${feature}`, () => {
			const out = join(root, feature, "out.yaml");
			expect(existsSync(out), `${out} (npm run golden -- --update)`).to.equal(
				true,
			);
			expect(renderGolden(root, feature, print)).to.equal(
				readFileSync(out, "utf8"),
			);
		});
	}
});
