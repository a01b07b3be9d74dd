import { expect } from "chai";
import { readDirectory } from "./read-directory.ts";

function rule(name: string, precedence: number | string) {
	return `---\napiVersion: lateen.dev/v1alpha1\nkind: RouteRule\nmetadata: {name: ${name}, namespace: default}\nspec:\n  destination: {name: r}\n  precedence: ${precedence}\n`;
}

describe("readDirectory", () => {
	it("prefers the earlier input and reports the later", async () => {
		const read = await readDirectory([
			{ kind: "text", name: "first", text: rule("a", 1) },
			{ kind: "text", name: "second", text: rule("a", 2) },
		]);
		expect(read.objects.RouteRule.get("default/a")?.spec.precedence).to.equal(
			1,
		);
		expect(read.problems).to.have.length(1);
		expect(read.problems[0]).to.include({
			severity: "error",
			file: "second",
			line: 2,
			column: 1,
		});
	});

	it("gives what is refused with the place of the field", async () => {
		const read = await readDirectory([
			{ kind: "text", name: "-", text: rule("a", 1) + rule("b", "high") },
		]);
		expect(read.objects.RouteRule.size).to.equal(1);
		expect(read.invalid.map(({ ref }) => ref.name)).to.deep.equal(["b"]);
		expect(read.invalid[0]?.violations[0]?.position).to.deep.equal({
			file: "-",
			line: 14,
			column: 3,
		});
	});

	it("uses the documents that parse when one does not", async () => {
		const read = await readDirectory([
			{
				kind: "text",
				name: "-",
				text: `${rule("a", 1)}---\na: [\n${rule("b", 2)}`,
			},
		]);
		expect([...read.objects.RouteRule.keys()]).to.deep.equal([
			"default/a",
			"default/b",
		]);
		expect(read.problems.map(({ line }) => line)).to.deep.equal([10]);
	});

	it("knows where each object begins", async () => {
		const { placeOf } = await readDirectory([
			{ kind: "text", name: "-", text: rule("a", 1) + rule("b", 2) },
		]);
		const ref = { kind: "RouteRule", namespace: "default", name: "b" };
		expect(placeOf(ref)).to.deep.equal({ file: "-", line: 9, column: 1 });
		expect(placeOf({ ...ref, name: "c" })).to.equal(undefined);
	});

	it("says that a path does not exist", async () => {
		const read = await readDirectory([
			{ kind: "path", path: "no/such/folder" },
		]);
		expect(read.problems[0]).to.include({
			severity: "error",
			file: "no/such/folder",
		});
	});
});
