import { expect } from "chai";
import { splitDocuments } from "./split-documents.ts";

describe("splitDocuments", () => {
	const cases = [
		{ name: "finds nothing in an empty file", text: "", want: [] },
		{
			name: "takes a file without markers whole",
			text: "a: 1\nb: 2\n",
			want: [{ text: "a: 1\nb: 2\n", linesBefore: 0 }],
		},
		{
			name: "cuts before every marker",
			text: "a: 1\n---\nb: 2\n--- # c\nc: 3\n",
			want: [
				{ text: "a: 1\n", linesBefore: 0 },
				{ text: "---\nb: 2\n", linesBefore: 1 },
				{ text: "--- # c\nc: 3\n", linesBefore: 3 },
			],
		},
		{
			name: "leaves out comments and directives",
			text: "# head\n%YAML 1.2\n---\na: 1\n---\n# none\n---\n",
			want: [{ text: "---\na: 1\n", linesBefore: 2 }],
		},
		{
			name: "keeps content on the line of the marker",
			text: "--- {a: 1}\n",
			want: [{ text: "--- {a: 1}\n", linesBefore: 0 }],
		},
		{
			name: "ends a document at its end marker",
			text: "a: 1\n...\n# between\n---\nb: 2\n...\n",
			want: [
				{ text: "a: 1\n", linesBefore: 0 },
				{ text: "---\nb: 2\n", linesBefore: 3 },
			],
		},
		{
			name: "knows the line ends of Windows",
			text: "a: 1\r\n---\r\nb: 2\r\n",
			want: [
				{ text: "a: 1\r\n", linesBefore: 0 },
				{ text: "---\r\nb: 2\r\n", linesBefore: 1 },
			],
		},
		{
			name: "leaves dashes alone that are no marker",
			text: "a: |\n  ---\n  x\nb: ---x\n----\n",
			want: [{ text: "a: |\n  ---\n  x\nb: ---x\n----\n", linesBefore: 0 }],
		},
	];
	for (const { name, text, want } of cases) {
		it(name, () => expect(splitDocuments(text)).to.deep.equal(want));
	}
});
