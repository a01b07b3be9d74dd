import { expect } from "chai";
import fc from "fast-check";
import { LineSplitter } from "./split-lines.ts";

describe("LineSplitter", () => {
	it("gives the same lines wherever the bytes are split", () => {
		fc.assert(
			fc.property(
				fc.array(fc.string({ unit: "grapheme" })),
				fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
				(texts, sizes) => {
					const lines = texts
						.map((text) => text.replaceAll("\n", " "))
						.filter((text) => text.trim() !== "");
					const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
					const splitter = new LineSplitter(1000);
					const seen: string[] = [];
					for (let at = 0; at < bytes.length; ) {
						const size = sizes.next().value ?? 1;
						seen.push(...splitter.push(bytes.subarray(at, at + size)));
						at += size;
					}
					expect(seen).to.deep.equal(lines);
				},
			),
		);
	});

	it("says when a line is longer than any may be", () => {
		const splitter = new LineSplitter(10);
		expect([...splitter.push(Buffer.from("a\n12345678"))]).to.deep.equal(["a"]);
		expect(splitter.isTooLong).to.equal(false);
		expect([...splitter.push(Buffer.from("9012"))]).to.deep.equal([]);
		expect(splitter.isTooLong).to.equal(true);
	});
});
