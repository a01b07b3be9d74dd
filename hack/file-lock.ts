import { mkdir, open, readFile, rm, rmdir } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";

/**
 * Does something that no two processes of this machine may do at the same time.
 *
 * The lock of a process that died is taken over. `onWait` is called once, with
 * the process that has the lock, when there is a wait.
 */
export async function withFileLock<T>(
	path: string,
	onWait: (owner: string) => void,
	act: () => Promise<T>,
): Promise<T> {
	let told = false;
	while (!(await takes(path))) {
		const owner = await ownerOf(path);
		if (owner !== "" && !isAlive(Number(owner))) {
			await removeOf(owner, path);
			continue;
		}
		if (!told) onWait(owner);
		told = true;
		await setTimeout(100);
	}
	try {
		return await act();
	} finally {
		await rm(path, { force: true });
	}
}

async function takes(path: string): Promise<boolean> {
	try {
		await using file = await open(path, "wx");
		await file.write(String(process.pid));
		return true;
	} catch (error) {
		if (codeOf(error) === "EEXIST") return false;
		throw error;
	}
}

/** Whoever makes the folder is the only one to remove a dead process's lock. */
async function removeOf(owner: string, path: string): Promise<void> {
	const right = `${path}.of-${owner}`;
	try {
		await mkdir(right);
	} catch (error) {
		if (codeOf(error) !== "EEXIST") throw error;
		await setTimeout(10);
		return;
	}
	try {
		if ((await ownerOf(path)) === owner) await rm(path, { force: true });
	} finally {
		await rmdir(right);
	}
}

/** Empty while the lock is being taken or left. */
async function ownerOf(path: string): Promise<string> {
	return await readFile(path, "utf8").catch(() => "");
}

function isAlive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return codeOf(error) === "EPERM"; // Somebody else's process.
	}
}

function codeOf(error: unknown): unknown {
	return error instanceof Error && "code" in error ? error.code : undefined;
}
