import { expect } from "chai";
import fc from "fast-check";
import { parseProxyReport, printProxyReport } from "./proxy-report.ts";

describe("ProxyReport", () => {
	it("says the same after it was written and read", () => {
		const text = fc.string({ maxLength: 5 });
		const plain = { noNullPrototype: true } as const;
		const saying = { proxy: text, message: text };
		const form = { content: text, software: text };
		const reported = fc.record(
			{
				uid: text,
				generation: fc.nat(),
				withheld: fc.nat(),
				total: fc.nat(),
				acknowledged: fc.nat(),
				rejected: fc.nat(),
				missing: fc.array(text, { maxLength: 2 }),
				rejections: fc.array(fc.record(saying, plain), { maxLength: 2 }),
				accepted: fc.array(fc.record(form, plain), { maxLength: 2 }),
				refused: fc.array(fc.record({ ...form, ...saying }, plain), {
					maxLength: 2,
				}),
			},
			plain,
		);
		fc.assert(
			fc.property(
				fc.uniqueArray(fc.tuple(fc.string(), reported), {
					selector: ([key]) => key,
				}),
				(objects) => {
					// What is written as JSON has no entry of this name.
					const said = {
						replica: "b",
						objects: new Map(objects.filter(([key]) => key !== "__proto__")),
					};
					const wire: unknown = JSON.parse(
						JSON.stringify({ spec: printProxyReport(said) }),
					);
					expect(parseProxyReport(wire)).to.deep.equal(said);
				},
			),
		);
	});

	it("reads what another version wrote as far as it can", () => {
		expect(
			parseProxyReport({
				spec: { replica: "b", objects: { x: { generation: "?" }, y: 1 } },
			})?.objects.get("x"),
		).to.deep.equal({
			uid: "",
			generation: 0,
			withheld: 0,
			total: 0,
			acknowledged: 0,
			rejected: 0,
			missing: [],
			rejections: [],
			accepted: [],
			refused: [],
		});
		for (const value of [undefined, 1, {}, { spec: { objects: {} } }])
			expect(parseProxyReport(value)).to.equal(undefined);
	});
});
