import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { protoClosure } from "./proto-closure.ts";

describe("protoClosure", () => {
	let dir: string;
	beforeEach(async () => {
		dir = await mkdtemp(join(tmpdir(), "lateen-closure-"));
		await mkdir(join(dir, "overlay"));
	});
	afterEach(() => rm(dir, { recursive: true }));

	const write = (name: string, ...imports: readonly string[]) =>
		writeFile(
			join(dir, name),
			imports.map((file) => `import "${file}";\r\n`).join(""),
		);

	it("follows imports, also in a circle, and leaves out what protoc brings", async () => {
		await write("a.proto", "b.proto", "google/protobuf/any.proto");
		await write("b.proto", "a.proto", "c.proto");
		await write("overlay/c.proto");
		await write("unused.proto");
		expect(
			protoClosure(["b.proto"], [join(dir, "overlay"), dir]),
		).to.deep.equal(["a.proto", "b.proto", "c.proto"]);
	});

	it("names the importer of a file that is nowhere", async () => {
		await write("a.proto", "missing.proto");
		expect(() => protoClosure(["a.proto"], [dir])).to.throw(
			Error,
			"missing.proto, needed by a.proto",
		);
	});
});
