import { expect } from "chai";
import type { Change } from "../api/objects.ts";
import { Definitions } from "./definitions.ts";
import { parseFile } from "./parse-file.ts";

function rule(name: string, precedence: number | string = 0) {
	return `---\napiVersion: lateen.dev/v1alpha1\nkind: RouteRule\nmetadata: {name: ${name}, namespace: default}\nspec: {destination: {name: r}, precedence: ${precedence}}\n`;
}

/** Definitions fed with the text of files. */
class Folder {
	readonly definitions = new Definitions(100);
	readonly #documents = new Map<
		string,
		Awaited<ReturnType<typeof parseFile>>
	>();

	async write(file: string, text: string): Promise<void> {
		const previous = this.#documents.get(file) ?? [];
		const documents = await parseFile(text, "yaml", previous, async () => {});
		this.#documents.set(file, documents);
		this.definitions.replaceFile({ key: file, file, documents });
	}

	/** What the store is told at a time, in short. */
	take(nowMs: number): readonly string[] {
		return this.definitions.takeChanges(nowMs).changes.map(print);
	}
}

function print(change: Change): string {
	switch (change.op) {
		case "put": {
			const { name, generation } = change.object.metadata;
			return `put ${name} ${generation}`;
		}
		case "put-invalid":
			return `refuse ${change.invalid.ref.name} ${change.invalid.generation}`;
		case "delete":
			return `delete ${change.ref.name}`;
		case "replace-kind":
			return `replace ${change.kind}`;
	}
}

describe("Definitions", () => {
	it("tells of nothing but what changed, wherever in the file it moved", async () => {
		const folder = new Folder();
		await folder.write("a", rule("x") + rule("y") + rule("z"));
		expect(folder.take(0)).to.have.length(3);
		await folder.write("a", `# moved\n${rule("z")}${rule("y", 1)}${rule("x")}`);
		expect(folder.take(1)).to.deep.equal(["put y 2"]);
	});

	it("deletes only what stays away for the grace period", async () => {
		const folder = new Folder();
		await folder.write("a", rule("x") + rule("y"));
		folder.take(0);
		await folder.write("a", "");
		const { changes, dueMs } = folder.definitions.takeChanges(10);
		expect(changes).to.deep.equal([]);
		expect(dueMs).to.equal(110);
		await folder.write("a", rule("x"));
		expect(folder.take(50)).to.deep.equal(["put x 1"]);
		expect(folder.take(109)).to.deep.equal([]);
		expect(folder.take(110)).to.deep.equal(["delete y"]);
	});

	it("starts to count afresh after a deletion", async () => {
		const folder = new Folder();
		await folder.write("a", rule("x"));
		folder.take(0);
		await folder.write("a", rule("x", 1));
		expect(folder.take(0)).to.deep.equal(["put x 2"]);
		await folder.write("a", "");
		folder.take(0);
		expect(folder.take(200)).to.deep.equal(["delete x"]);
		await folder.write("a", rule("x", 1));
		expect(folder.take(200)).to.deep.equal(["put x 1"]);
	});

	it("counts a refused spec as a change", async () => {
		const folder = new Folder();
		await folder.write("a", rule("x"));
		folder.take(0);
		await folder.write("a", rule("x", "high"));
		expect(folder.take(0)).to.deep.equal(["refuse x 2"]);
		await folder.write("a", rule("x"));
		expect(folder.take(0)).to.deep.equal(["put x 3"]);
	});

	it("moves an object between files without a deletion", async () => {
		const folder = new Folder();
		await folder.write("a", rule("x"));
		folder.take(0);
		await folder.write("a", "");
		await folder.write("b", rule("x"));
		expect(folder.take(0)).to.deep.equal(["put x 1"]);
		expect(folder.take(1_000)).to.deep.equal([]);
	});

	it("ranks by file and then by place in the file, whatever came first", async () => {
		const folder = new Folder();
		await folder.write("b", rule("x", 2));
		await folder.write("a", rule("x", 3) + rule("x", 4));
		const [change] = folder.definitions.takeChanges(0).changes;
		if (change?.op !== "put" || change.object.kind !== "RouteRule") {
			throw new Error("no rule was put");
		}
		expect(change.object.spec.precedence).to.equal(3);
		expect(
			folder.definitions
				.duplicates()
				.map(({ file, line }) => `${file}:${line}`),
		).to.deep.equal(["a:7", "b:2"]);
	});
});
