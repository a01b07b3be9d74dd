import { expect } from "chai";
import fc from "fast-check";
import { share, shareList } from "./share.ts";

const value = fc.letrec((tie) => ({
	value: fc.oneof(
		{ depthSize: "small" },
		fc.constantFrom(1, 2, "a", undefined, null),
		fc.array(tie("value"), { maxLength: 3 }),
		// Chai cannot compare maps with values that have no prototype, and there are none in the program.
		fc.dictionary(fc.constantFrom("a", "b", "__proto__"), tie("value"), {
			noNullPrototype: true,
		}),
		fc
			.array(fc.tuple(fc.constantFrom("a", "b"), tie("value")), {
				maxLength: 2,
			})
			.map((entries) => new Map(entries)),
		fc.array(fc.constantFrom(1, 2), { maxLength: 2 }).map((l) => new Set(l)),
	),
})).value;

describe("share", () => {
	it("gives a value equal to the next one", () => {
		fc.assert(
			fc.property(value, value, (previous, next) => {
				expect(share(previous, next)).to.deep.equal(next);
			}),
		);
	});

	it("gives the previous value when both are equal", () => {
		fc.assert(
			fc.property(fc.clone(value, 2), ([previous, next]) => {
				expect(share(previous, next)).to.equal(previous);
			}),
		);
	});

	it("keeps the equal parts of a value that changed", () => {
		const previous = { same: { a: [1] }, list: [{ b: 1 }], other: 1 };
		const next = share(previous, {
			same: { a: [1] },
			list: [{ b: 0 }, { b: 1 }],
			other: 2,
		});
		expect(next.same).to.equal(previous.same);
		expect(next.list[1]).to.equal(previous.list[0]);
		expect(next.other).to.equal(2);
	});

	it("tells a missing field from an undefined one", () => {
		const previous: { a?: number | undefined } = {};
		const next: { a?: number | undefined } = { a: undefined };
		expect(share(previous, next)).not.to.equal(previous);
	});

	it("tells maps with the same entries in another order apart", () => {
		const previous = new Map([
			["a", 1],
			["b", 2],
		]);
		const next = new Map([
			["b", 2],
			["a", 1],
		]);
		expect([...share(previous, next).keys()]).to.deep.equal(["b", "a"]);
	});
});

describe("shareList", () => {
	it("finds items by their keys, wherever they are", () => {
		const previous = [
			{ key: "a", value: 1 },
			{ key: "b", value: 2 },
		];
		const next = shareList(
			previous,
			[
				{ key: "b", value: 2 },
				{ key: "a", value: 3 },
			],
			({ key }) => key,
		);
		expect(next[0]).to.equal(previous[1]);
		expect(next[1]).to.deep.equal({ key: "a", value: 3 });
	});

	it("gives the previous list when nothing differs", () => {
		const previous = [{ key: "a" }];
		expect(shareList(previous, [{ key: "a" }], ({ key }) => key)).to.equal(
			previous,
		);
	});
});
