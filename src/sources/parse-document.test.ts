import { expect } from "chai";
import { type ParsedDocument, parseDocument } from "./parse-document.ts";

function valueOf(document: ParsedDocument) {
	if (document.kind !== "value") throw new Error(`it is ${document.kind}`);
	return document;
}

describe("parseDocument", () => {
	const yaml = `---
metadata:
  labels:
    app.kubernetes.io/name: x
spec:
  route:
  - weight: 1
  - {labels: {a: b}, weight: -1}
`;
	const places = [
		{ path: "", line: 2, column: 1 },
		{ path: "spec", line: 5, column: 1 },
		{ path: "spec.route[0].weight", line: 7, column: 5 },
		{ path: "spec.route[1]", line: 8, column: 5 },
		{ path: "spec.route[1].weight", line: 8, column: 22 },
		{ path: "metadata.labels[app.kubernetes.io/name]", line: 4, column: 5 },
		{ path: "spec.route[1].timeout", line: 8, column: 5 },
		{ path: "spec.destination.name", line: 5, column: 1 },
		{ path: "spec.route[9]", line: 6, column: 3 },
	];
	for (const { path, line, column } of places) {
		it(`finds ${path === "" ? "the document" : path} or its nearest ancestor`, () => {
			const { spotOf } = valueOf(parseDocument(yaml, "yaml"));
			expect(spotOf(path)).to.deep.equal({ line, column });
		});
	}

	it("finds fields of JSON, tabs and all", () => {
		const { value, spotOf } = valueOf(
			parseDocument('{\n\t"spec": {\n\t\t"a": [1,\n\t\t\t2]\n\t}\n}\n', "json"),
		);
		expect(value).to.deep.equal({ spec: { a: [1, 2] } });
		expect(spotOf("spec.a[1]")).to.deep.equal({ line: 4, column: 4 });
	});

	it("merges maps by <<, as kubectl does", () => {
		const { value } = valueOf(
			parseDocument("a: &a {x: 1}\nb: {<<: *a, y: 2}\n", "yaml"),
		);
		expect(value).to.deep.equal({ a: { x: 1 }, b: { x: 1, y: 2 } });
	});

	const broken = [
		{
			name: "an open bracket",
			syntax: "yaml",
			text: "a: [1\nb: 2\n",
			line: 2,
			column: 1,
		},
		{
			name: "a key that stands twice",
			syntax: "yaml",
			text: "x:\n  a: 1\n  a: 2\n",
			line: 3,
			column: 3,
		},
		{
			name: "a trailing comma in JSON",
			syntax: "json",
			text: '{\n"a": 1,\n}',
			line: 3,
			column: 1,
		},
		{
			name: "a bare word in JSON",
			syntax: "json",
			text: '{"a": 1,\n"b": nope}',
			line: 2,
			column: 7,
		},
		{
			name: "JSON that ends early",
			syntax: "json",
			text: '{"a": [1, 2',
			line: 1,
			column: 12,
		},
		{
			name: "text after JSON",
			syntax: "json",
			text: '{"a": 1}\n{"b": 2}',
			line: 2,
			column: 1,
		},
	] as const;
	for (const { name, syntax, text, line, column } of broken) {
		it(`says where ${name} stands`, () => {
			const document = parseDocument(text, syntax);
			if (document.kind !== "broken") throw new Error(`it is ${document.kind}`);
			expect(document.spot).to.deep.equal({ line, column });
		});
	}

	for (const text of ["", "# only\n", "---\n", "null\n"]) {
		it(`finds nothing in ${JSON.stringify(text)}`, () => {
			expect(parseDocument(text, "yaml")).to.deep.equal({ kind: "empty" });
		});
	}
});
