/**
 * The process that runs test files: takes a `FileRequest`, answers with its
 * `FileResult`, until its parent lets go of it.
 *
 * A file that cannot be loaded, or holds no test, is a failure of that file and
 * of nothing else.
 */
import Mocha from "mocha";
import type { Failure, FileRequest, FileResult } from "./file-result.ts";

process.on("message", (request: FileRequest) => {
	void runFile(request).then((result) => process.send?.(result));
});
process.on("disconnect", () => process.exit());

async function runFile(request: FileRequest): Promise<FileResult> {
	const { file, timeoutMs, grep } = request;
	const startMs = performance.now();
	const failures: Failure[] = [];
	const skipped: string[] = [];
	let passed = 0;
	const mocha = new Mocha({
		timeout: timeoutMs,
		// This one keeps quiet: the parent prints.
		reporter: Mocha.reporters.Base,
		forbidOnly: true,
		...(grep === undefined ? {} : { fgrep: grep }),
	});
	mocha.addFile(file);
	try {
		await mocha.loadFilesAsync();
		if (mocha.suite.total() === 0) {
			failures.push({
				title: "(the whole file)",
				text: "The file contains no test. Add one, or remove the file.",
			});
		}
		await new Promise<void>((resolve) => {
			const runner = mocha.run(() => resolve());
			runner.on("pass", () => {
				passed += 1;
			});
			runner.on("pending", (test) => skipped.push(test.fullTitle()));
			runner.on("fail", (test, error) => {
				failures.push({ title: test.fullTitle(), text: print(error) });
			});
		});
	} catch (error) {
		failures.push({ title: "(loading the file)", text: print(error) });
	}
	mocha.dispose();
	const durationMs = performance.now() - startMs;
	return { file, passed, failures, skipped, durationMs };
}

function print(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	const lines = [`${error.name}: ${error.message}`];
	if ("actual" in error && "expected" in error) {
		const { actual, expected } = error;
		if (!("showDiff" in error) || error.showDiff !== false) {
			lines.push(
				Mocha.reporters.Base.generateDiff(text(actual), text(expected)),
			);
		}
	}
	const frames = (error.stack ?? "")
		.split("\n")
		.filter((line) => /^\s+at /.test(line))
		.filter((line) => !/node_modules\/(mocha|chai)\/|node:internal/.test(line));
	lines.push(...frames);
	if (error.cause !== undefined) lines.push(`Caused by: ${print(error.cause)}`);
	return lines.join("\n");
}

function text(value: unknown): string {
	return typeof value === "string" ? value : Mocha.utils.stringify(value);
}
