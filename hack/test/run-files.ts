import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { FileRequest, FileResult } from "./file-result.ts";

const WORKER = fileURLToPath(new URL("./worker.ts", import.meta.url));

/** How long a file may stay silent before its process is ended: a test's own timeout cannot stop an endless loop. */
const SILENCE_MS = 10 * 60_000;

/** Test files that are run in one way. */
export interface TestGroup {
	readonly files: readonly string[];
	readonly timeoutMs: number;
	/** Whether each file gets a process of its own. */
	readonly isolated: boolean;
}

/** What came of one file, and all that its process printed meanwhile. */
export interface RanFile extends FileResult {
	readonly output: string;
}

/**
 * Runs test files in `jobs` processes and hands over each result as it comes.
 *
 * A process that dies fails the file it ran; the other files go on.
 */
export async function runFiles(
	group: TestGroup,
	jobs: number,
	grep: string | undefined,
	onResult: (result: RanFile) => void,
): Promise<void> {
	const waiting = [...group.files];
	const runNext = async (): Promise<void> => {
		let worker: TestProcess | undefined;
		for (;;) {
			const file = waiting.shift();
			if (file === undefined) break;
			worker ??= new TestProcess();
			const result = await worker.run({
				file,
				timeoutMs: group.timeoutMs,
				...(grep === undefined ? {} : { grep }),
			});
			onResult(result);
			// What a failed test left behind must not fail the next file.
			if (group.isolated || result.failures.length > 0) {
				await worker.end();
				worker = undefined;
			}
		}
		await worker?.end();
	};
	await Promise.all(Array.from({ length: jobs }, runNext));
}

/** One process that runs test files, one at a time. */
class TestProcess {
	readonly #child: ChildProcess;
	#output = "";

	constructor() {
		this.#child = fork(WORKER, { stdio: ["ignore", "pipe", "pipe", "ipc"] });
		for (const stream of [this.#child.stdout, this.#child.stderr]) {
			stream?.setEncoding("utf8").on("data", (text: string) => {
				this.#output += text;
			});
		}
	}

	async run(request: FileRequest): Promise<RanFile> {
		this.#output = "";
		const startMs = performance.now();
		const child = this.#child;
		const result = await new Promise<FileResult>((resolve) => {
			const finish = (result: FileResult): void => {
				clearTimeout(timer);
				child.removeListener("message", finish);
				child.removeListener("exit", onExit);
				resolve(result);
			};
			const fail = (text: string): void =>
				finish({
					file: request.file,
					passed: 0,
					failures: [{ title: "(the whole file)", text }],
					skipped: [],
					durationMs: performance.now() - startMs,
				});
			const onExit = (code: number | null, signal: string | null): void =>
				fail(
					`The test process ended early (${signal ?? `exit code ${code}`}).`,
				);
			const timer = setTimeout(() => {
				child.kill("SIGKILL");
				fail(`No result after ${SILENCE_MS / 60_000} minutes.`);
			}, SILENCE_MS);
			child.on("message", finish);
			child.on("exit", onExit);
			child.send(request);
		});
		return { ...result, output: this.#output };
	}

	/** Lets the process go, and makes sure that it does. */
	async end(): Promise<void> {
		if (this.#child.exitCode !== null || this.#child.signalCode !== null)
			return;
		const exited = once(this.#child, "exit");
		if (this.#child.connected) this.#child.disconnect();
		const timer = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
		await exited;
		clearTimeout(timer);
	}
}
