import { existsSync, lstatSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ClusterError } from "../control-plane.ts";

const ROOT = "/sys/fs/cgroup";
/** How long the kernel may take to forget processes that have ended. */
const PATIENCE_MS = 10_000;
const POLL_MS = 50;

/** Pods are many programs: where the machine is busy, all of them together get as much as so many of its processes. */
const WEIGHT = 10;

/** Makes a group below the root of every hierarchy, for everything a node starts. Throws what the kernel says. */
export async function makeCgroup(name: string): Promise<void> {
	const unified = join(ROOT, "cgroup.controllers");
	if (existsSync(unified)) {
		const controllers = (await readFile(unified, "utf8")).trim().split(" ");
		try {
			await writeFile(
				join(ROOT, "cgroup.subtree_control"),
				controllers.map((controller) => `+${controller}`).join(" "),
			);
		} catch (error) {
			throw new ClusterError(
				`A node needs cgroups below ${ROOT}, and the kernel refuses (${String(error)}). In a container that is so when processes are in its uppermost cgroup: use a machine, or a container with the machine's cgroups.`,
			);
		}
		await mkdir(join(ROOT, name));
		await weigh(join(ROOT, name, "cpu.weight"), 100);
		return;
	}
	const found = await hierarchies();
	if (found.length === 0) throw new Error(`There are none in ${ROOT}.`);
	for (const hierarchy of found) {
		const group = join(hierarchy, name);
		await mkdir(group);
		// Without processors and memory of its own a group takes no process.
		for (const file of ["cpuset.cpus", "cpuset.mems"]) {
			if (!existsSync(join(group, file))) continue;
			await writeFile(
				join(group, file),
				await readFile(join(hierarchy, file), "utf8"),
			);
		}
		await weigh(join(group, "cpu.shares"), 1024);
	}
}

/** Gives a group its weight where the file for it is; `one` is what the kernel gives a process. */
async function weigh(file: string, one: number): Promise<void> {
	if (existsSync(file)) await writeFile(file, String(WEIGHT * one));
}

/** Removes a group with all below it, wherever it is, when the last of its processes is gone. */
export async function removeCgroup(name: string): Promise<void> {
	const endMs = performance.now() + PATIENCE_MS;
	const found = [ROOT, ...(await hierarchies())]
		.map((hierarchy) => join(hierarchy, name))
		.filter((group) => existsSync(group));
	for (const group of found) {
		// Another run may remove the same.
		while (existsSync(group)) {
			try {
				await removeTree(group);
			} catch (error) {
				if (performance.now() > endMs) throw error;
				await setTimeout(POLL_MS);
			}
		}
	}
}

/** The mount points of cgroup v1, and of v2 where it is beside them. */
async function hierarchies(): Promise<readonly string[]> {
	const entries = await readdir(ROOT).catch(() => []);
	return entries
		.map((entry) => join(ROOT, entry))
		.filter(
			(path) =>
				lstatSync(path).isDirectory() && existsSync(join(path, "cgroup.procs")),
		);
}

async function removeTree(group: string): Promise<void> {
	for (const entry of await readdir(group, { withFileTypes: true })) {
		if (entry.isDirectory()) await removeTree(join(group, entry.name));
	}
	await rmdir(group);
}
