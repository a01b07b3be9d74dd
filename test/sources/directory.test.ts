import { execFileSync } from "node:child_process";
import {
	chmodSync,
	mkdirSync,
	renameSync,
	symlinkSync,
	truncateSync,
	unlinkSync,
	writeFileSync,
} from "node:fs";
import { expect } from "chai";
import { systemClock } from "../../src/lib/system-clock.ts";
import {
	createDirectorySource,
	type DirectoryOptions,
} from "../../src/sources/directory.ts";
import type { FileProblem } from "../../src/sources/file-problem.ts";
import { eventually } from "../testkit/eventually.ts";
import { type RunningSource, runSource } from "../testkit/running-source.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

interface Watching extends AsyncDisposable {
	readonly running: RunningSource;
	readonly folder: TemporaryFolder;
	/** `file:line:column severity message`, the file below the folder. */
	readonly problems: () => readonly string[];
	readonly warnings: readonly FileProblem[];
}

/** Watches `conf` in a folder of its own; the files are there before it starts. */
async function watchFolder(
	files: Readonly<Record<string, string | Uint8Array>>,
	options: Partial<DirectoryOptions> & { readonly below?: string } = {},
): Promise<Watching> {
	const folder = new TemporaryFolder();
	mkdirSync(folder.at("conf"));
	for (const [name, content] of Object.entries(files)) {
		folder.write(name, content);
	}
	let problems: readonly FileProblem[] = [];
	const warnings: FileProblem[] = [];
	const running = runSource(
		createDirectorySource({
			name: "directory",
			root: folder.at(options.below ?? "conf"),
			clock: systemClock,
			problems: (current) => {
				problems = current;
			},
			report: (warning) => warnings.push(warning),
			graceMs: 30,
			...options,
		}),
	);
	return {
		running,
		folder,
		warnings,
		problems: () =>
			problems.map(
				({ file, line, column, severity, message }) =>
					`${file.replace(`${folder.path}/`, "")}:${line}:${column} ${severity} ${message}`,
			),
		async [Symbol.asyncDispose]() {
			await running[Symbol.asyncDispose]();
			folder[Symbol.dispose]();
		},
	};
}

function rule(name: string, precedence = 0): string {
	return `---
apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata:
  name: ${name}
  namespace: default
spec:
  destination: {name: reviews}
  precedence: ${precedence}
`;
}

function names({ running }: Watching): readonly string[] {
	return [...running.store.objects.value.RouteRule.values()]
		.map(({ metadata }) => metadata.name)
		.sort();
}

function ruleOf({ running }: Watching, name: string) {
	return running.store.objects.value.RouteRule.get(`default/${name}`);
}

async function hasRules(watching: Watching, ...wanted: string[]) {
	await eventually(() => expect(names(watching)).to.deep.equal(wanted));
}

async function hasPrecedence(watching: Watching, name: string, value: number) {
	await eventually(() =>
		expect(ruleOf(watching, name)?.spec.precedence).to.equal(value),
	);
}

async function hasProblem(watching: Watching, pattern: RegExp) {
	await eventually(() =>
		expect(watching.problems().join("\n")).to.match(pattern),
	);
}

async function hasNoProblem(watching: Watching) {
	await eventually(() => expect(watching.problems()).to.deep.equal([]));
}

describe("directory source", () => {
	describe("finds", () => {
		it("every document of every YAML and JSON file in every folder", async () => {
			const json = `{"apiVersion":"lateen.dev/v1alpha1","kind":"RouteRule","metadata":{"name":"j","namespace":"default"},"spec":{"destination":{"name":"x"}}}`;
			await using watching = await watchFolder({
				"conf/a.yaml": rule("a1") + rule("a2"),
				"conf/deep/er/b.yml": rule("b"),
				"conf/j.json": json,
				"conf/notes.txt": "not ours",
				"conf/empty.yaml": "",
				"conf/comments.yaml": "# nothing\n---\n# here\n---\n",
			});
			await hasRules(watching, "a1", "a2", "b", "j");
			expect(watching.problems()).to.deep.equal([]);
		});

		it("the items of a List", async () => {
			const items = [rule("a"), rule("b")].map((text) =>
				text.replace("---\n", "").replaceAll("\n", "\n  "),
			);
			await using watching = await watchFolder({
				"conf/list.yaml": `apiVersion: v1\nkind: List\nitems:\n- ${items.join("\n- ")}`,
			});
			await hasRules(watching, "a", "b");
		});

		it("a single file", async () => {
			await using watching = await watchFolder(
				{ "conf/one.yaml": rule("a") },
				{ below: "conf/one.yaml" },
			);
			await hasRules(watching, "a");
			watching.folder.replace("conf/one.yaml", rule("b"));
			await hasRules(watching, "b");
		});

		it("nothing in hidden files and what editors leave beside a file", async () => {
			await using watching = await watchFolder({
				"conf/a.yaml": rule("a"),
				"conf/.hidden.yaml": rule("hidden"),
				"conf/.a.yaml.swp": "\0\0",
				"conf/a.yaml~": rule("backup"),
				"conf/#a.yaml#": rule("autosave"),
				"conf/.git/x.yaml": rule("git"),
			});
			await hasRules(watching, "a");
			expect(watching.problems()).to.deep.equal([]);
		});
	});

	describe("follows", () => {
		it("edits in place and atomic renames", async () => {
			await using watching = await watchFolder({ "conf/a.yaml": rule("a", 1) });
			await hasPrecedence(watching, "a", 1);
			watching.folder.write("conf/a.yaml", rule("a", 2));
			await hasPrecedence(watching, "a", 2);
			watching.folder.replace("conf/a.yaml", rule("a", 3));
			await hasPrecedence(watching, "a", 3);
		});

		it("a new folder that is filled at once", async () => {
			await using watching = await watchFolder({});
			await eventually(() => expect(watching.running.listings()).to.equal(1));
			for (let i = 0; i < 20; i++) {
				watching.folder.write(`conf/d${i}/e/f${i}.yaml`, rule(`r${i}`));
			}
			await eventually(() => expect(names(watching)).to.have.length(20));
			watching.folder.write("conf/d7/e/f7.yaml", rule("r7", 5));
			await hasPrecedence(watching, "r7", 5);
		});

		it("a folder that is moved in, renamed and removed", async () => {
			await using watching = await watchFolder({ "aside/a.yaml": rule("a") });
			await eventually(() => expect(watching.running.listings()).to.equal(1));
			const { folder } = watching;
			renameSync(folder.at("aside"), folder.at("conf/team"));
			await hasRules(watching, "a");
			const object = ruleOf(watching, "a");
			renameSync(folder.at("conf/team"), folder.at("conf/crew"));
			folder.write("conf/crew/b.yaml", rule("b"));
			await hasRules(watching, "a", "b");
			expect(ruleOf(watching, "a")).to.equal(object);
			folder.remove("conf/crew");
			await hasRules(watching);
		});

		it("a folder that vanishes and returns", async () => {
			await using watching = await watchFolder({
				"conf/sub/a.yaml": rule("a"),
				"conf/b.yaml": rule("b"),
			});
			await hasRules(watching, "a", "b");
			watching.folder.remove("conf/sub");
			await hasRules(watching, "b");
			watching.folder.write("conf/sub/a.yaml", rule("a", 4));
			await hasRules(watching, "a", "b");
			watching.folder.write("conf/sub/a.yaml", rule("a", 5));
			await hasPrecedence(watching, "a", 5);
		});

		it("the root itself when it is replaced", async () => {
			await using watching = await watchFolder({
				"conf/a.yaml": rule("a"),
				"next/b.yaml": rule("b"),
			});
			await hasRules(watching, "a");
			const { folder } = watching;
			renameSync(folder.at("conf"), folder.at("old"));
			renameSync(folder.at("next"), folder.at("conf"));
			await hasRules(watching, "b");
			folder.write("conf/c.yaml", rule("c"));
			await hasRules(watching, "b", "c");
		});

		it("mounted ConfigMaps, whose files change by one link", async () => {
			await using watching = await watchFolder({
				"conf/..one/a.yaml": rule("a", 1),
				"conf/..two/a.yaml": rule("a", 2),
			});
			const { folder } = watching;
			symlinkSync("..one", folder.at("conf/..data"));
			symlinkSync("..data/a.yaml", folder.at("conf/a.yaml"));
			await hasPrecedence(watching, "a", 1);
			symlinkSync("..two", folder.at("conf/..data_tmp"));
			renameSync(folder.at("conf/..data_tmp"), folder.at("conf/..data"));
			await hasPrecedence(watching, "a", 2);
			expect(watching.problems()).to.deep.equal([]);
		});

		it("links to files elsewhere, where watching sees nothing", async () => {
			await using watching = await watchFolder(
				{ "elsewhere/a.yaml": rule("a", 1) },
				{ scanMs: 20 },
			);
			const { folder } = watching;
			symlinkSync("../elsewhere/a.yaml", folder.at("conf/a.yaml"));
			await hasPrecedence(watching, "a", 1);
			folder.write("elsewhere/a.yaml", rule("a", 22));
			await hasPrecedence(watching, "a", 22);
		});
	});

	describe("survives", () => {
		it("links that lead in circles, fan out or lead nowhere", async () => {
			const folder = new TemporaryFolder();
			const { path } = folder;
			folder.write("conf/a.yaml", rule("a"));
			symlinkSync("..", folder.at("conf/up"));
			symlinkSync(".", folder.at("conf/self"));
			symlinkSync("loop", folder.at("conf/loop"));
			symlinkSync("circle.yaml", folder.at("conf/circle.yaml"));
			symlinkSync("nowhere.yaml", folder.at("conf/dangling.yaml"));
			for (let level = 0; level < 30; level++) {
				mkdirSync(folder.at(`fan${level}`));
				for (const side of ["left", "right"]) {
					symlinkSync(
						folder.at(`fan${level + 1}`),
						folder.at(`fan${level}/${side}`),
					);
				}
			}
			symlinkSync(folder.at("fan0"), folder.at("conf/fan"));
			await using watching = await watchFolder({}, { root: `${path}/conf` });
			await hasRules(watching, "a");
			folder.write("conf/b.yaml", rule("b"));
			await hasRules(watching, "a", "b");
			folder[Symbol.dispose]();
		});

		it("a file that is emptied before it is written", async () => {
			await using watching = await watchFolder(
				{ "conf/a.yaml": rule("a", 1) },
				{ graceMs: 60_000 },
			);
			await hasRules(watching, "a");
			const object = ruleOf(watching, "a");
			truncateSync(watching.folder.at("conf/a.yaml"));
			watching.folder.write("conf/b.yaml", rule("b"));
			await hasRules(watching, "a", "b");
			expect(ruleOf(watching, "a")).to.equal(object);
			watching.folder.write("conf/a.yaml", rule("a", 2));
			await hasPrecedence(watching, "a", 2);
			expect(ruleOf(watching, "a")?.metadata.generation).to.equal(2);
		});

		it("a file that is half written, and heals when it is whole", async () => {
			await using watching = await watchFolder({
				"conf/a.yaml": rule("a1", 1) + rule("a2", 1),
			});
			await hasRules(watching, "a1", "a2");
			watching.folder.write(
				"conf/a.yaml",
				`${rule("a1", 2)}---\nkind: RouteRule\nspec: {destination: {na`,
			);
			await hasProblem(watching, /^conf\/a.yaml:12:\d+ error .*2 objects/);
			expect(names(watching)).to.deep.equal(["a1", "a2"]);
			expect(ruleOf(watching, "a1")?.spec.precedence).to.equal(1);
			watching.folder.write("conf/a.yaml", rule("a1", 3));
			await hasPrecedence(watching, "a1", 3);
			await hasRules(watching, "a1");
			await hasNoProblem(watching);
		});

		const unusable = [
			{
				name: "a binary file",
				content: Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0, 1),
				problem: /:1:5 error .*not text/,
			},
			{
				name: "a file that is not UTF-8",
				content: Buffer.from("# caf\xe9\n", "latin1"),
				problem: /:1:6 error .*UTF-8/,
			},
			{
				name: "a YAML alias bomb",
				content: `a: &a [x,x,x,x,x,x,x,x,x]\n${[..."bcdefghi"].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`).join("\n")}\n`,
				problem: /:1:1 error .*aliases/,
			},
			{
				name: "an alias that contains itself",
				content: "a: &a [*a]\n",
				problem: /:1:1 error .*contains itself/,
			},
			{
				name: "a document nested 3,000 deep",
				content: "[".repeat(3_000),
				problem: /:1:\d+ error .*nested too deeply/,
			},
			{
				name: "a document nested 100,000 deep",
				content: "[".repeat(100_000),
				problem: /:1:\d+ error .*nested too deeply/,
			},
			{
				name: "a rule of 2 MB",
				content: `${rule("a")}  headers: {request: {set: {x: "${"x".repeat(2e6)}"}}}\n`,
				problem: /:1:1 error The object is 1.9 MiB; the limit is 1.5 MiB/,
			},
			{
				name: "a key that stands twice",
				content: `${rule("a")}kind: Service\n`,
				problem: /:10:1 error The key "kind" stands twice/,
			},
			{
				name: "a document that is no object",
				content: "- just\n- a list\n",
				problem: /:1:1 error/,
			},
			{
				name: "an object without a name",
				content: rule("a").replace("name: a", "labels: {}"),
				problem: /:\d+:\d+ error .*name/,
			},
		];
		for (const { name, content, problem } of unusable) {
			it(`${name}, keeping the last good form of what the file held`, async () => {
				await using watching = await watchFolder({
					"conf/a.yaml": rule("a", 1),
				});
				await hasRules(watching, "a");
				watching.folder.write("conf/a.yaml", content);
				await hasProblem(watching, problem);
				expect(names(watching)).to.deep.equal(["a"]);
				watching.folder.write("conf/a.yaml", rule("a", 2));
				await hasPrecedence(watching, "a", 2);
				await hasNoProblem(watching);
			});
		}

		it("30,000 keys in one map, in time", async () => {
			const labels = Array.from({ length: 30_000 }, (_, i) => `    k${i}: v`);
			await using watching = await watchFolder({
				"conf/a.yaml": rule("a").replace(
					"  namespace: default",
					`  namespace: default\n  labels:\n${labels.join("\n")}`,
				),
			});
			await hasRules(watching, "a");
		});

		it("10,000 objects in 1,000 files, read in seconds", async () => {
			const files = Array.from({ length: 1_000 }, (_, file) => [
				`conf/f${file}.yaml`,
				Array.from({ length: 10 }, (_, i) => rule(`r-${file}-${i}`)).join(""),
			]);
			await using watching = await watchFolder(Object.fromEntries(files));
			await eventually(() =>
				expect(watching.running.store.objects.value.RouteRule.size).to.equal(
					10_000,
				),
			);
		});

		it("files that vanish while they are read", async () => {
			await using watching = await watchFolder({ "conf/z.yaml": rule("z") });
			await hasRules(watching, "z");
			for (let i = 0; i < 200; i++) {
				watching.folder.write(`conf/a${i % 7}.yaml`, rule(`a${i % 7}`));
				if (i % 3 === 0) await Promise.resolve();
				unlinkSync(watching.folder.at(`conf/a${i % 7}.yaml`));
				if (i % 20 === 0) {
					await new Promise((resolve) => setImmediate(resolve));
				}
			}
			watching.folder.write("conf/end.yaml", rule("end"));
			await hasRules(watching, "end", "z");
			await hasNoProblem(watching);
		});

		it("a pipe that nobody writes to", async () => {
			await using watching = await watchFolder({ "conf/a.yaml": rule("a") });
			execFileSync("mkfifo", [watching.folder.at("conf/pipe.yaml")]);
			await hasRules(watching, "a");
			watching.folder.write("conf/b.yaml", rule("b"));
			await hasRules(watching, "a", "b");
		});

		it("a file that the file system cannot read", async function () {
			if (process.platform !== "linux") this.skip();
			await using watching = await watchFolder({ "conf/a.yaml": rule("a") });
			await hasRules(watching, "a");
			symlinkSync("/proc/self/mem", watching.folder.at("conf/.link"));
			renameSync(
				watching.folder.at("conf/.link"),
				watching.folder.at("conf/a.yaml"),
			);
			await hasProblem(watching, /a.yaml:1:1 error The file cannot be read/);
			expect(names(watching)).to.deep.equal(["a"]);
		});

		it("files and folders without permission", async function () {
			if (process.seteuid === undefined) this.skip();
			await using watching = await watchFolder({
				"conf/sub/a.yaml": rule("a", 1),
				"conf/b.yaml": rule("b", 1),
			});
			const { folder } = watching;
			await hasRules(watching, "a", "b");
			const user = process.geteuid?.() ?? 0;
			chmodSync(folder.path, 0o755);
			chmodSync(folder.at("conf"), 0o777);
			chmodSync(folder.at("conf/sub"), 0o000);
			chmodSync(folder.at("conf/b.yaml"), 0o000);
			// Permissions bind everyone but root.
			if (user === 0) process.seteuid(65534);
			try {
				writeFileSync(folder.at("conf/c.yaml"), rule("c"));
				mkdirSync(folder.at("conf/new"));
				await hasRules(watching, "a", "b", "c");
				await hasProblem(watching, /conf\/b.yaml:1:1 error .*EACCES/);
				await hasProblem(watching, /conf\/sub:1:1 error .*EACCES/);
			} finally {
				if (user === 0) process.seteuid(user);
			}
			chmodSync(folder.at("conf/sub"), 0o755);
			chmodSync(folder.at("conf/b.yaml"), 0o644);
			folder.write("conf/b.yaml", rule("b", 2));
			folder.write("conf/sub/a.yaml", rule("a", 2));
			await hasPrecedence(watching, "b", 2);
			await hasPrecedence(watching, "a", 2);
			await hasNoProblem(watching);
		});
	});

	describe("with its root missing", () => {
		it("lists nothing until the root is there", async () => {
			await using watching = await watchFolder({}, { below: "later" });
			await hasProblem(watching, /later:1:1 error There is no such/);
			expect(watching.running.listings()).to.equal(0);
			watching.folder.write("later/a.yaml", rule("a"));
			await hasRules(watching, "a");
			expect(watching.running.listings()).to.equal(1);
			await hasNoProblem(watching);
		});

		it("keeps what it had when the root goes, until it returns", async () => {
			await using watching = await watchFolder({
				"conf/a.yaml": rule("a"),
				"conf/b.yaml": rule("b"),
			});
			await hasRules(watching, "a", "b");
			renameSync(watching.folder.at("conf"), watching.folder.at("gone"));
			await hasProblem(watching, /conf:1:1 error .*stays in force/);
			expect(names(watching)).to.deep.equal(["a", "b"]);
			watching.folder.remove("gone/a.yaml");
			renameSync(watching.folder.at("gone"), watching.folder.at("conf"));
			await hasRules(watching, "b");
			await hasNoProblem(watching);
		});
	});

	describe("tells", () => {
		it("where in which file a field is refused", async () => {
			await using watching = await watchFolder({
				"conf/a.yaml": `${rule("fine")}${rule("a").replace("precedence: 0", "precedence: high")}`,
			});
			const invalid = await eventually(() => {
				const found = watching.running.store.invalid.value.get(
					"RouteRule/default/a",
				);
				expect(found).to.not.equal(undefined);
				return found;
			});
			const violation = invalid?.violations[0];
			expect(violation?.path).to.equal("spec.precedence");
			expect(violation?.position).to.deep.equal({
				file: watching.folder.at("conf/a.yaml"),
				line: 18,
				column: 3,
			});
			watching.folder.write(
				"conf/a.yaml",
				`# one more line\n${rule("fine")}${rule("a").replace("precedence: 0", "precedence: high")}`,
			);
			await eventually(() =>
				expect(
					watching.running.store.invalid.value.get("RouteRule/default/a")
						?.violations[0]?.position?.line,
				).to.equal(19),
			);
		});

		it("of a duplicate with both places, and uses it when the first goes", async () => {
			await using watching = await watchFolder({
				"conf/b.yaml": rule("x", 2),
				"conf/a/c.yaml": `${rule("y")}${rule("x", 1)}`,
			});
			await hasPrecedence(watching, "x", 1);
			await hasProblem(
				watching,
				/^conf\/b.yaml:2:1 error RouteRule default\/x .*conf\/a\/c.yaml:11:1 /,
			);
			watching.folder.write("conf/a/c.yaml", rule("y"));
			await hasPrecedence(watching, "x", 2);
			await hasNoProblem(watching);
		});

		it("once of each kind that is not read", async () => {
			const deployment = (name: string) =>
				`apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: ${name}}\n`;
			await using watching = await watchFolder({
				"conf/a.yaml": `${deployment("a")}---\n${deployment("b")}${rule("a")}`,
			});
			await hasRules(watching, "a");
			await hasProblem(
				watching,
				/^conf\/a.yaml:1:1 warning The kind Deployment of apps\/v1 is not read. .* 1 more/,
			);
			watching.folder.write("conf/b.yaml", `${deployment("c")}${rule("b")}`);
			await hasRules(watching, "a", "b");
			expect(watching.warnings).to.have.length(1);
		});
	});

	describe("counts generations", () => {
		it("that grow with the spec and not with labels", async () => {
			await using watching = await watchFolder({ "conf/a.yaml": rule("a", 1) });
			await hasPrecedence(watching, "a", 1);
			expect(ruleOf(watching, "a")?.metadata.generation).to.equal(1);
			watching.folder.write("conf/a.yaml", rule("a", 2));
			await hasPrecedence(watching, "a", 2);
			expect(ruleOf(watching, "a")?.metadata.generation).to.equal(2);
			const labelled = rule("a", 2).replace(
				"name: a",
				"name: a\n  labels: {x: y}",
			);
			watching.folder.write("conf/a.yaml", labelled);
			await eventually(() =>
				expect(ruleOf(watching, "a")?.metadata.labels).to.deep.equal({
					x: "y",
				}),
			);
			expect(ruleOf(watching, "a")?.metadata.generation).to.equal(2);
		});

		it("unless the file states one", async () => {
			await using watching = await watchFolder({
				"conf/a.yaml": rule("a").replace("name: a", "name: a\n  generation: 7"),
			});
			await hasRules(watching, "a");
			expect(ruleOf(watching, "a")?.metadata.generation).to.equal(7);
		});
	});
});
