/**
 * What is known of the nodes of this machine, so that the next one cleans up
 * after one whose holder was killed.
 *
 * Of a node in namespaces nothing but empty cgroups and files is left when its
 * first process is gone. A kind cluster goes on by itself.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { cacheFolder } from "../../programs/cache-folder.ts";
import { removeCgroup } from "./cgroups.ts";

const run = promisify(execFile);

const POLL_MS = 20;

/** A process that cannot be mistaken for a later one with the same number. */
export interface ProcessId {
	readonly pid: number;
	/** When it started, in ticks since the machine did. */
	readonly started: string;
}

/** One node, as it is written down. */
export interface NodeRecord {
	/** Of its cgroup, or of the kind cluster. */
	readonly name: string;
	readonly sort: "namespaces" | "kind";
	/** The folder with its files. */
	readonly dir: string;
	readonly holder: ProcessId;
	/** The first process in its namespaces. */
	readonly init?: ProcessId;
}

/** Writes a node down, or anew. */
export async function writeRecord(record: NodeRecord): Promise<void> {
	await mkdir(folder(), { recursive: true });
	await writeFile(fileOf(record.name), JSON.stringify(record));
}

/** Removes everything of a node whose processes are gone, and forgets it. */
export async function removeRecorded(record: NodeRecord): Promise<void> {
	switch (record.sort) {
		case "kind":
			await run("kind", ["delete", "cluster", "--name", record.name]);
			break;
		case "namespaces":
			await removeCgroup(record.name);
			await rm(join(record.dir, "node"), { recursive: true, force: true });
			break;
	}
	await rm(fileOf(record.name), { force: true });
}

/** Ends and removes what runs that were killed have left; returns the folders they were in. */
export async function cleanLeftovers(): Promise<readonly string[]> {
	const cleaned: string[] = [];
	for (const file of await readdir(folder()).catch(() => [])) {
		const text = await readFile(join(folder(), file), "utf8").catch(() => "");
		const record = parse(text);
		if (record === undefined || isRunning(record.holder)) continue;
		const { init } = record;
		while (init !== undefined && isRunning(init)) {
			try {
				process.kill(init.pid, "SIGKILL");
			} catch {
				// It ended between the question and the signal.
			}
			await setTimeout(POLL_MS);
		}
		await removeRecorded(record);
		cleaned.push(record.dir);
	}
	return cleaned;
}

/** A running process; undefined when there is none of that number. */
export function processId(pid: number): ProcessId | undefined {
	try {
		const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
		// The name before it may have anything in it, but no `)` comes after.
		const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
		// Whoever waits to be buried does nothing any more.
		if (fields[0] === "Z") return undefined;
		return { pid, started: fields[19] ?? "" };
	} catch {
		return undefined;
	}
}

function isRunning({ pid, started }: ProcessId): boolean {
	return processId(pid)?.started === started;
}

/** Undefined for a file that is just being written. */
function parse(text: string): NodeRecord | undefined {
	try {
		return JSON.parse(text) as NodeRecord;
	} catch {
		return undefined;
	}
}

function folder(): string {
	return join(cacheFolder(), "nodes");
}

function fileOf(name: string): string {
	return join(folder(), `${name}.json`);
}
