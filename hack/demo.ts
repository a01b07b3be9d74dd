/**
 * The demo: the control plane on a copy of `samples/bookinfo`, its services as
 * processes with real Envoys, on loopback.
 *
 *   npm run demo               runs until Ctrl-C and says what to try
 *   npm run demo -- --check    tries it by itself; exit status 0 or 1
 *   npm run demo -- --dir D    works in D and leaves its files there
 */
import { mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs, styleText } from "node:util";
import { startBookinfo } from "./demo/bookinfo.ts";
import { DemoError } from "./demo/demo-error.ts";
import { type Ending, type Part, Parts } from "./demo/parts.ts";
import { printThreeThings } from "./demo/three-things.ts";
import { tryThreeThings } from "./demo/try-three-things.ts";
import { ensureEnvoy, MissingPrerequisite } from "./ensure-envoy.ts";
import { firstStopSignal } from "./stop-signal.ts";

/** What the parts are made from. */
interface Place {
	readonly envoy: string;
	readonly dir: string;
}

const stopSignal = firstStopSignal();
process.exitCode = await runDemo().catch((error: unknown) => {
	console.error(`\n${styleText("red", "✗")} ${printFailure(error)}`);
	return 1;
});

async function runDemo(): Promise<number> {
	const { values } = parseArgs({
		options: { check: { type: "boolean" }, dir: { type: "string" } },
	});
	const envoy = await ensureEnvoy();
	const dir = openWorkingDir(values.dir);
	let isWanted = values.dir !== undefined;
	try {
		await using parts = new Parts(join(dir, "logs"));
		stopSignal.onSecond(() => parts.killAll());
		const work =
			values.check === true
				? check({ envoy, dir }, parts)
				: show({ envoy, dir }, parts);
		const code = await Promise.race([
			work,
			stopSignal.first.then(() => "stopped" as const),
		]);
		// What the unfinished work says when its parts are taken away is of no interest.
		void work.catch(() => {});
		if (code !== "stopped") return code;
		console.log("\nEnding everything.");
		return values.check === true ? 1 : 0;
	} catch (error) {
		isWanted = true;
		console.error(`\nLogs of all parts: ${join(dir, "logs")}`);
		throw error;
	} finally {
		if (!isWanted) await rm(dir, { recursive: true, force: true });
	}
}

async function show(place: Place, parts: Parts): Promise<number> {
	const bookinfo = await startBookinfo(place, parts, sayStep);
	console.log(printThreeThings(bookinfo));
	parts.onCrash((part, ending) =>
		console.error(
			`\n${styleText("red", "✗")} ${printCrash(part, ending)}\n\nThe rest goes on; Ctrl-C ends it.`,
		),
	);
	return await new Promise<number>(() => {});
}

async function check(place: Place, parts: Parts): Promise<number> {
	const bookinfo = await startBookinfo(place, parts, sayStep);
	console.log(`Bookinfo is up: ${bookinfo.url}\n`);
	const crash = new Promise<never>((_, reject) => {
		parts.onCrash((part, ending) =>
			reject(new DemoError(printCrash(part, ending))),
		);
	});
	await Promise.race([
		tryThreeThings(bookinfo, (line) => {
			// What is seen while everything comes down is not worth telling.
			if (parts.crashed === undefined) console.log(line);
		}),
		crash,
	]);
	console.log(`\n${styleText("green", "✓")} The demo does what it says.`);
	return 0;
}

function sayStep(step: string): void {
	console.log(`${styleText("green", "✓")} ${step}`);
}

function printCrash(part: Part, { how }: Ending): string {
	return `${part.name} ended by itself (${how}). Its last lines:\n\n${part.lastLines(12).replaceAll(/^/gm, "  ")}\n\nAll of it: ${part.logFile}`;
}

function openWorkingDir(wanted: string | undefined): string {
	if (wanted === undefined) return mkdtempSync(join(tmpdir(), "lateen-demo-"));
	const dir = resolve(wanted);
	mkdirSync(dir, { recursive: true });
	if (readdirSync(dir).length > 0) {
		throw new DemoError(
			`${dir} is not empty. Name a new folder, or leave --dir out.`,
		);
	}
	return dir;
}

function printFailure(error: unknown): string {
	if (!(error instanceof Error)) return String(error);
	if (error instanceof DemoError || error instanceof MissingPrerequisite) {
		return error.message;
	}
	const isUsage =
		"code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
	return isUsage
		? `${error.message}. The demo takes --check and --dir FOLDER, and nothing else.`
		: (error.stack ?? error.message);
}
