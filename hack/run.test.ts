import { execFile } from "node:child_process";
import {
	chmod,
	copyFile,
	mkdir,
	mkdtemp,
	readFile,
	rm,
	symlink,
	writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";

const execute = promisify(execFile);

/** What `npm` is replaced with: it notes how it was called and makes what the real one would. */
const NPM = `#!/bin/sh
echo "$1" >>"$CALLS"
sleep 0.1
case $1 in
install)
	mkdir -p "$3/node_modules/.bin"
	ln -s "$REAL_NODE" "$3/node_modules/.bin/node"
	;;
ci) mkdir -p node_modules ;;
esac
`;

describe("hack/run.sh", () => {
	let dir: string;
	let root: string;
	let env: Record<string, string>;

	beforeEach(async () => {
		dir = await mkdtemp(join(tmpdir(), "lateen-run-"));
		root = join(dir, "repository");
		env = {
			PATH: `${join(dir, "bin")}:/usr/bin:/bin`,
			HOME: dir,
			XDG_CACHE_HOME: join(dir, "cache"),
			CALLS: join(dir, "calls"),
			REAL_NODE: process.execPath,
		};
		await write("bin/npm", NPM, 0o755);
		await write("bin/node", "#!/bin/sh\necho v20.1.0\n", 0o755);
		await write("repository/package-lock.json", "{}");
		await write("repository/crds/a.yaml", "a: 1");
		await write("repository/hack/generate-protobuf.ts", "");
		await write("repository/hack/generate-crd.ts", "");
		await write("repository/hack/protobuf/roots.txt", "");
		await write(
			"repository/hack/generate.ts",
			`import { appendFileSync, mkdirSync } from "node:fs";
			mkdirSync(import.meta.dirname + "/../src/gen", { recursive: true });
			appendFileSync(process.env.CALLS, "generate\\n");`,
		);
		await write(
			"repository/hack/probe.ts",
			`console.log(process.version, process.argv.slice(2).join("|"));`,
		);
		await copyFile(
			join(import.meta.dirname, "run.sh"),
			join(root, "hack/run.sh"),
		);
	});

	afterEach(async () => {
		await rm(dir, { recursive: true, force: true });
	});

	async function write(path: string, text: string, mode = 0o644) {
		await mkdir(dirname(join(dir, path)), { recursive: true });
		await writeFile(join(dir, path), text);
		await chmod(join(dir, path), mode);
	}

	async function run(...args: readonly string[]) {
		return await execute(
			"/bin/sh",
			[join(root, "hack/run.sh"), "hack/probe.ts", ...args],
			{ env },
		);
	}

	async function readCalls(): Promise<readonly string[]> {
		const text = await readFile(env["CALLS"] ?? "", "utf8").catch(() => "");
		return text.trim().split("\n").sort();
	}

	it("sets up what is missing, says so, and becomes the program", async () => {
		const { stdout, stderr } = await run("one", "two words");
		expect(stdout).to.equal(`${process.version} one|two words\n`);
		expect(stderr).to.match(/Installing Node .* \(this machine has v20\.1\.0/);
		expect(stderr).to.contain("Installing npm packages");
		expect(stderr).to.contain("Generating src/gen");
		expect(await readCalls()).to.deep.equal(["ci", "generate", "install"]);
	});

	it("is quiet and does nothing the second time", async () => {
		await run();
		const before = await readCalls();
		const { stderr } = await run();
		expect(stderr).to.equal("");
		expect(await readCalls()).to.deep.equal(before);
	});

	it("uses the machine's Node when it is new enough", async () => {
		await rm(join(dir, "bin/node"));
		await symlink(process.execPath, join(dir, "bin/node"));
		await run();
		expect(await readCalls()).to.deep.equal(["ci", "generate"]);
	});

	const changes = [
		{
			name: "installs packages and generates again when the lock file has changed",
			file: "repository/package-lock.json",
			again: ["ci", "generate"],
		},
		{
			name: "generates again when a schema has changed",
			file: "repository/crds/a.yaml",
			again: ["generate"],
		},
		{
			name: "generates again when a schema was added",
			file: "repository/crds/b.yaml",
			again: ["generate"],
		},
	];
	for (const { name, file, again } of changes) {
		it(name, async () => {
			await run();
			await rm(env["CALLS"] ?? "");
			await write(file, "{changed: true}");
			await run();
			expect(await readCalls()).to.deep.equal(again);
		});
	}

	it("sets up once when several runs start together", async () => {
		const runs = await Promise.all(
			["1", "2", "3", "4"].map((name) => run(name)),
		);
		expect(runs.map(({ stdout }) => stdout.trim().at(-1))).to.deep.equal([
			..."1234",
		]);
		expect(await readCalls()).to.deep.equal(["ci", "generate", "install"]);
	});

	it("takes over from a run that died while it was setting up", async () => {
		const { pid } = await new Promise<{ pid: number }>((resolve) => {
			const child = execFile("/bin/true");
			child.on("exit", () => resolve({ pid: child.pid ?? 0 }));
		});
		await write("repository/.lateen/setup.lock", `${pid}\n`);
		await Promise.all([run(), run(), run()]);
		expect(await readCalls()).to.deep.equal(["ci", "generate", "install"]);
	});

	it("repeats a step that failed, and leaves nothing half done", async () => {
		await write("bin/npm", "#!/bin/sh\necho no network >&2\nexit 1\n", 0o755);
		const failure: unknown = await run().catch((error: unknown) => error);
		expect(failure).to.have.property("stderr").that.contains("no network");
		expect(failure)
			.to.have.property("stderr")
			.that.matches(/could not be installed with npm.*install Node\.js/);
		await write("bin/npm", NPM, 0o755);
		await run();
		expect(await readCalls()).to.deep.equal(["ci", "generate", "install"]);
	});

	it("says in one sentence what to install when npm is missing", async () => {
		await rm(join(dir, "bin/npm"));
		env["PATH"] = join(dir, "bin");
		for (const tool of ["sh", "dirname", "cat", "mkdir", "cmp"]) {
			await symlink(`/usr/bin/${tool}`, join(dir, "bin", tool));
		}
		const failure: unknown = await run().catch((error: unknown) => error);
		expect(failure)
			.to.have.property("stderr")
			.that.matches(/^lateen: npm is missing\. Install Node\.js .*\n$/);
	});
});
