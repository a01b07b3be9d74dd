import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect } from "chai";
import { reviews } from "./manifests.ts";
import { programPath, runLateen } from "./run-lateen.ts";
import { withFolder } from "./temporary-folder.ts";

/** A running `lateen serve`, and the lines it has logged. */
interface Serving {
	readonly child: ChildProcess;
	readonly lines: readonly Readonly<Record<string, unknown>>[];
	readonly state: string;
}

/** Everything that a test has started; what is still running after it is killed. */
const started: ChildProcess[] = [];

/** Starts `lateen serve` in this folder and waits until it says that it is ready. */
async function serve(folder: string): Promise<Serving> {
	const state = join(folder, "state");
	await mkdir(join(folder, "mesh"), { recursive: true });
	await writeFile(join(folder, "mesh/reviews.yaml"), reviews);
	const child = spawn(
		process.execPath,
		[
			...[programPath, "serve", `--source=directory:${join(folder, "mesh")}`],
			...["--state-dir", state, "--xds-listen", "127.0.0.1:0"],
		],
		{ env: { PATH: process.env["PATH"] }, stdio: ["ignore", "pipe", "pipe"] },
	);
	started.push(child);
	const lines: Readonly<Record<string, unknown>>[] = [];
	for await (const line of createInterface({ input: child.stderr })) {
		lines.push(JSON.parse(line));
		if (lines.at(-1)?.["message"] === "The server is ready.")
			return { child, lines, state };
	}
	throw new Error(`The server did not start: ${JSON.stringify(lines)}`);
}

async function ended(
	child: ChildProcess,
	signal: NodeJS.Signals,
): Promise<number | null> {
	const exit = once(child, "exit");
	child.kill(signal);
	await exit;
	return child.exitCode;
}

describe("lateen serve", () => {
	afterEach(() => {
		for (const child of started.splice(0)) child.kill("SIGKILL");
	});

	for (const signal of ["SIGTERM", "SIGINT"] as const)
		it(`ends with exit code 0 on ${signal} and takes serve.json away`, () =>
			withFolder({}, async (folder) => {
				const { child, state } = await serve(folder);
				await access(join(state, "serve.json"));
				expect(await ended(child, signal)).to.equal(0);
				const gone = await access(join(state, "serve.json")).catch(
					() => "gone",
				);
				expect(gone).to.equal("gone");
			}));

	it("logs the settings in force, and nothing secret", () =>
		withFolder({}, async (folder) => {
			const { child, lines, state } = await serve(folder);
			const key = await readFile(join(state, "proxy-token.key"), "utf8");
			await ended(child, "SIGTERM");
			expect(lines[0]).to.include({
				message: "The settings in force are these.",
				xdsListen: "127.0.0.1:0 (flag)",
				holdOffQuiet: "10ms",
			});
			expect(JSON.stringify(lines)).not.to.include(key.trim());
		}));

	it("refuses to start twice with one state directory, and says what to do", () =>
		withFolder({}, async (folder) => {
			const { child, state } = await serve(folder);
			const second = await runLateen([
				"serve",
				`--source=directory:${folder}`,
				...["--state-dir", state, "--xds-listen", "127.0.0.1:0"],
			]);
			await ended(child, "SIGTERM");
			expect(second.code).to.equal(3);
			expect(second.err).to.include("Another lateen serves");
			expect(second.err).to.include("--state-dir");
		}));

	it("starts again after it was killed", () =>
		withFolder({}, async (folder) => {
			const first = await serve(folder);
			await ended(first.child, "SIGKILL");
			const dead = await runLateen(["proxies", "--state-dir", first.state]);
			expect(dead.code).to.equal(3);
			expect(dead.err).to.include("Nothing answers");
			const second = await serve(folder);
			const { code, out } = await runLateen([
				...["proxies", "-o", "json", "--state-dir", second.state],
			]);
			await ended(second.child, "SIGTERM");
			expect(code).to.equal(0);
			expect(JSON.parse(out)).to.deep.equal({ proxies: [] });
		}));

	it("finds the running server by LATEEN_STATE_DIR, too", () =>
		withFolder({}, async (folder) => {
			const { child, state } = await serve(folder);
			const { code, err } = await runLateen(["proxies"], {
				environment: { LATEEN_STATE_DIR: state },
			});
			const missing = await runLateen(["proxy", "default/none"], {
				environment: { LATEEN_STATE_DIR: state },
			});
			await ended(child, "SIGTERM");
			expect(code).to.equal(0);
			expect(err).to.include("No proxy is connected");
			expect(missing.code).to.equal(1);
			expect(missing.err).to.include("`lateen proxies` lists those that are");
		}));
});
