import { format, inspect } from "node:util";
import { expect } from "chai";
import { PrivateBytes } from "./private-bytes.ts";

describe("PrivateBytes", () => {
	const secret = "hunter2";
	const held = new PrivateBytes(secret);

	it("gives its content to whoever asks by name", () => {
		expect(held.reveal().toString()).to.equal(secret);
	});

	const ways: readonly [string, string][] = [
		["a template", `${held}`],
		["JSON", JSON.stringify({ key: held })],
		["util.inspect", inspect({ key: held }, { showHidden: true, depth: 9 })],
		["util.format", format("%s %o %j", held, held, held)],
		["its keys", JSON.stringify(Object.entries(held))],
	];
	for (const [way, text] of ways) {
		it(`is not shown by ${way}`, () => {
			expect(text).not.to.contain(secret);
			expect(text).not.to.contain(
				Buffer.from(secret).toString("hex").slice(0, 6),
			);
		});
	}

	it("does not change when what it was made from, or what it gave, is changed", () => {
		const bytes = Buffer.from(secret);
		const other = new PrivateBytes(bytes);
		bytes.fill(0);
		other.reveal().fill(0);
		expect(other.equals(held)).to.equal(true);
		expect(other.equals(new PrivateBytes("hunter3"))).to.equal(false);
		expect(other.equals(new PrivateBytes("hunter"))).to.equal(false);
	});
});
