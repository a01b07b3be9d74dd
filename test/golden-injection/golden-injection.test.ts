import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { renderInjection } from "../testkit/golden-injection.ts";

const root = import.meta.dirname;

describe("what is injected", () => {
	for (const feature of readdirSync(root)) {
		if (!statSync(join(root, feature)).isDirectory()) continue;
		it(`is as written down for ${feature}`, () => {
			const out = join(root, feature, "out.yaml");
			expect(existsSync(out), `${out} (npm run golden -- --update)`).to.equal(
				true,
			);
			expect(renderInjection(root, feature)).to.equal(
				readFileSync(out, "utf8"),
			);
		});
	}
});
