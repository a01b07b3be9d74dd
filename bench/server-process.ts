import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "../src/net/http-client.ts";

/** A `lateen serve` process of its own, that is ready. */
export interface ServerProcess extends AsyncDisposable {
	readonly pid: number;
	/** Where proxies connect. */
	readonly host: string;
	readonly port: number;
	/** Where the admin API is, as `serve.json` writes it. */
	readonly admin: string;
	/** CPU time used so far, user and system, in milliseconds; exact to 10 ms. */
	cpuMs(): Promise<number>;
	/** Memory in RAM, in MB. */
	rssMb(): Promise<number>;
	/** Memory that is still in use after garbage was collected, in MB. */
	liveMb(): Promise<number>;
	/** Sum over all labels of a figure of the server's own metrics. */
	metric(name: string): Promise<number>;
}

/** What is started. */
export interface ServerOptions {
	/** The built program. */
	readonly program: string;
	/** Flags that say where the objects come from. */
	readonly source: readonly string[];
	readonly stateDir: string;
	/** Where a CPU profile is written when the server ends. */
	readonly profileDir: string | undefined;
	readonly signal: AbortSignal;
}

/** Ticks per second of the times in /proc, the same on every Linux. */
const ticksPerSecond = 100;

const startLimitMs = 60_000;

/**
 * Starts the server and answers when it is ready.
 *
 * Guarantees: disposing of it ends the process, by force after a while.
 */
export async function startServer(
	options: ServerOptions,
): Promise<ServerProcess> {
	const { program, source, stateDir, profileDir, signal } = options;
	const memoryFile = join(stateDir, "bench-memory");
	const child = spawn(
		process.execPath,
		[
			...(profileDir === undefined
				? []
				: ["--cpu-prof", `--cpu-prof-dir=${profileDir}`]),
			"--expose-gc",
			"--import",
			join(import.meta.dirname, "live-memory.ts"),
			program,
			"serve",
			...source,
			`--state-dir=${stateDir}`,
			"--xds-listen=127.0.0.1:0",
			"--log-level=warn",
		],
		{
			stdio: ["ignore", "ignore", "pipe"],
			env: { ...process.env, BENCH_MEMORY_FILE: memoryFile },
		},
	);
	let stderr = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		stderr = (stderr + text).slice(-4_000);
	});
	try {
		const { xds, admin } = await announced(child, stateDir, signal);
		const pid = child.pid ?? 0;
		const tell = (): void =>
			console.error(`bench: The server ended by itself. It said:\n${stderr}`);
		child.once("exit", tell);
		const colon = xds.lastIndexOf(":");
		return {
			pid,
			host: xds.slice(0, colon),
			port: Number(xds.slice(colon + 1)),
			admin,
			cpuMs: () => cpuMs(pid),
			rssMb: () => rssMb(pid),
			liveMb: () => liveMb(pid, memoryFile, signal),
			metric: (name) => metric(admin, name),
			[Symbol.asyncDispose]: async () => {
				child.off("exit", tell);
				await stop(child);
			},
		};
	} catch (error) {
		await stop(child);
		throw new Error(`The server did not start. It said:\n${stderr}`, {
			cause: error,
		});
	}
}

async function announced(
	child: ChildProcess,
	stateDir: string,
	signal: AbortSignal,
): Promise<{ readonly xds: string; readonly admin: string }> {
	const endMs = performance.now() + startLimitMs;
	while (performance.now() < endMs) {
		signal.throwIfAborted();
		if (child.exitCode !== null) throw new Error("It ended.");
		const text = await readFile(join(stateDir, "serve.json"), "utf8").catch(
			() => undefined,
		);
		if (text !== undefined) return JSON.parse(text);
		await sleep(20);
	}
	throw new Error(`It was not ready after ${startLimitMs} ms.`);
}

/** Ends a child process and waits until it is gone. */
export async function stop(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const gone = once(child, "exit");
	child.kill("SIGTERM");
	const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
	await gone;
	clearTimeout(timer);
}

async function cpuMs(pid: number): Promise<number> {
	const text = await readFile(`/proc/${pid}/stat`, "utf8");
	// The name of the program, in parentheses, may hold anything.
	const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
	const [user, system] = [fields[11], fields[12]].map(Number);
	return (((user ?? 0) + (system ?? 0)) * 1_000) / ticksPerSecond;
}

async function rssMb(pid: number): Promise<number> {
	const text = await readFile(`/proc/${pid}/status`, "utf8");
	const found = /^VmRSS:\s+(\d+) kB$/m.exec(text);
	return (Number(found?.[1]) * 1_024) / 1e6;
}

async function liveMb(
	pid: number,
	file: string,
	signal: AbortSignal,
): Promise<number> {
	await rm(file, { force: true });
	process.kill(pid, "SIGUSR2");
	for (;;) {
		signal.throwIfAborted();
		const text = await readFile(file, "utf8").catch(() => undefined);
		if (text !== undefined) return Number(text) / 1e6;
		await sleep(20);
	}
}

async function metric(admin: string, name: string): Promise<number> {
	const server = adminServer(admin);
	const answer = await request({ server, method: "GET", path: "/metrics" });
	const text = await answer.text();
	const lines = text
		.split("\n")
		.filter(
			(line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `),
		);
	if (lines.length === 0) throw new Error(`There is no metric ${name}.`);
	return lines
		.map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)))
		.reduce((sum, value) => sum + value, 0);
}

/** Where requests for the admin API go. */
export function adminServer(
	admin: string,
): { readonly path: string } | { readonly url: string } {
	return admin.startsWith("unix:")
		? { path: admin.slice("unix:".length) }
		: { url: `http://${admin}` };
}

/** The machine in a few words. */
export function machine(): string {
	return `Node ${process.versions.node}, ${availableParallelism()} cores, loopback, server, load and measurement on the same machine`;
}
