import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { type Part, Parts } from "./parts.ts";

describe("Parts", () => {
	let logs: string;

	beforeEach(async () => {
		logs = await mkdtemp(join(tmpdir(), "lateen-parts-"));
	});

	afterEach(async () => {
		await rm(logs, { recursive: true, force: true });
	});

	/** Prints the pid of a child of its own, and then both stay. */
	const family = ["-c", "sleep 600 & echo $!; wait"];

	it("ends every part with all that it started", async () => {
		let child = 0;
		{
			await using parts = new Parts(logs);
			const part = parts.start("family", "/bin/sh", family);
			child = await firstNumber(part.logFile);
			expect(isAlive(child)).to.equal(true);
		}
		await until(() => !isAlive(child));
	});

	it("starts nothing more once it is being ended", async () => {
		const parts = new Parts(logs);
		await parts[Symbol.asyncDispose]();
		expect(() => parts.start("late", "/bin/sh", family)).to.throw("too late");
	});

	it("ends the others although one has ended by itself, and tells which", async () => {
		const crashes: string[] = [];
		let child = 0;
		{
			await using parts = new Parts(logs);
			const good = parts.start("good", "/bin/sh", family);
			const bad = parts.start("bad", "/bin/sh", [
				"-c",
				"echo last words; exit 3",
			]);
			parts.onCrash((part, { how }) => crashes.push(`${part.name}: ${how}`));
			child = await firstNumber(good.logFile);
			await bad.ended;
			expect(parts.crashed?.name).to.equal("bad");
			expect(bad.lastLines(1)).to.equal("last words");
		}
		await until(() => !isAlive(child));
		expect(crashes).to.deep.equal(["bad: exit code 3"]);
	});

	it("reports a program that does not exist as ended", async () => {
		await using parts = new Parts(logs);
		const { how } = await parts.start("nothing", "/no/such/program", []).ended;
		expect(how).to.contain("ENOENT");
	});

	it("makes a part end that does not want to", async () => {
		let part: Part;
		{
			await using parts = new Parts(logs, 100);
			part = parts.start("stubborn", "/bin/sh", [
				"-c",
				"trap '' TERM; echo 1; while :; do sleep 1; done",
			]);
			await firstNumber(part.logFile);
		}
		expect(part.running).to.equal(false);
		expect((await part.ended).how).to.equal("SIGKILL");
	});

	it("ends the parts even when their own process is killed", async () => {
		const program = `
			import { Parts } from ${JSON.stringify(new URL("./parts.ts", import.meta.url).href)};
			const parts = new Parts(${JSON.stringify(logs)});
			await parts.start("gone", "/bin/sh", ["-c", "exit 0"]).ended;
			parts.start("family", "/bin/sh", ${JSON.stringify(family)});
		`;
		const demo = spawn(
			process.execPath,
			["--input-type=module-typescript", "-e", program],
			{ stdio: "inherit" },
		);
		const child = await firstNumber(join(logs, "family.log"));
		demo.kill("SIGKILL");
		await once(demo, "exit");
		await until(() => !isAlive(child));
	});
});

/** The first number that the file holds, as soon as it does. */
async function firstNumber(file: string): Promise<number> {
	let number = 0;
	await until(async () => {
		const text = await readFile(file, "utf8").catch(() => "");
		number = Number(/^(\d+)\n/.exec(text)?.[1] ?? 0);
		return number > 0;
	});
	return number;
}

/** Waits for a fact; the test's own timeout is the limit. */
async function until(
	condition: () => boolean | Promise<boolean>,
): Promise<void> {
	while (!(await condition())) {
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}

/** What has ended and only waits for its parent to notice is not alive. */
function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		const stat = `/proc/${pid}/stat`;
		return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "utf8"));
	} catch {
		return false;
	}
}
