import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type RanFile, runFiles } from "./run-files.ts";

describe("runFiles", () => {
	let dir: string;

	before(async () => {
		dir = await mkdtemp(join(tmpdir(), "lateen-run-files-"));
	});

	after(async () => {
		await rm(dir, { recursive: true, force: true });
	});

	/** Runs one file with this text, after one that is good. */
	async function run(text: string, grep?: string): Promise<RanFile> {
		const good = join(dir, "good.test.ts");
		const file = join(dir, "given.test.ts");
		await writeFile(good, `it("is good", () => {});`);
		await writeFile(file, text);
		const results: RanFile[] = [];
		await runFiles(
			{ files: [file, good], timeoutMs: 200, isolated: false },
			1,
			grep,
			(result) => results.push(result),
		);
		const [given, other] = results;
		if (given === undefined || other === undefined)
			throw new Error("No result.");
		expect(other.failures, "the file beside it").to.deep.equal([]);
		return given;
	}

	const failing = [
		{
			name: "a file without a test",
			text: "",
			says: /contains no test/,
		},
		{
			name: "a file whose only tests are in an empty describe",
			text: `describe("nothing", () => {});`,
			says: /contains no test/,
		},
		{
			name: "a file that cannot be loaded",
			text: `import "./missing.ts"; it("is never run", () => {});`,
			says: /Cannot find module/,
		},
		{
			name: "a test that throws",
			text: `it("fails", () => { throw new Error("on purpose"); });`,
			says: /on purpose/,
		},
		{
			name: "a test that never ends",
			text: `it("waits", () => new Promise(() => {}));`,
			says: /Timeout of 200ms/,
		},
		{
			name: "a hook that throws",
			text: `before(() => { throw new Error("in the hook"); }); it("is not run", () => {});`,
			says: /in the hook/,
		},
		{
			name: "a file that ends the process",
			text: `it("leaves", () => process.exit(0));`,
			says: /ended early \(exit code 0\)/,
		},
		{
			name: "a test left with .only",
			text: `it.only("alone", () => {}); it("forgotten", () => {});`,
			says: /forbid/i,
		},
	];
	for (const { name, text, says } of failing) {
		it(`fails ${name}, and no other file`, async () => {
			const { failures } = await run(text);
			expect(failures).to.have.length(1);
			expect(failures[0]?.text).to.match(says);
		});
	}

	it("shows the difference between what was expected and what came", async () => {
		const { failures } = await run(
			`import { deepStrictEqual } from "node:assert"; it("compares", () => deepStrictEqual({ a: 1 }, { a: 2 }));`,
		);
		expect(failures[0]?.text).to.match(/-\s+"a": 1[\s\S]*\+\s+"a": 2/);
	});

	it("names the tests that were skipped, and counts the others", async () => {
		const { passed, skipped, failures } = await run(
			`describe("some", () => { it("runs", () => {}); it("needs root", function () { this.skip(); }); });`,
		);
		expect({ passed, skipped, failures }).to.deep.equal({
			passed: 1,
			skipped: ["some needs root"],
			failures: [],
		});
	});

	it("hands over what a file printed", async () => {
		const { output } = await run(`it("talks", () => console.log("hello"));`);
		expect(output).to.contain("hello");
	});
});
