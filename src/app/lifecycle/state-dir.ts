import { mkdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { listen } from "../../net/listen.ts";
import { ListenError } from "../../net/listen-error.ts";
import { StartError } from "./start-error.ts";

/** What a running server says about itself to commands on the same machine. */
export interface ServeFile {
	readonly pid: number;
	/** Where proxies connect: `127.0.0.1:15010`. */
	readonly xds: string;
	/** The admin API: `unix:PATH` or `127.0.0.1:15014`. */
	readonly admin: string;
}

/** A state directory that belongs to this process until it is disposed of. */
export interface StateDir extends AsyncDisposable {
	/** Absolute. */
	readonly path: string;
	/** Tells other commands how to reach this server; replaced in one step. */
	announce(content: ServeFile): Promise<void>;
}

/**
 * Makes the directory if need be, for its owner only, and takes it.
 *
 * The lock is a Unix socket that this process listens on: the system frees it
 * whatever way the process ends, so a crash leaves nothing that must be cleared
 * by hand.
 *
 * Fails when: the directory cannot be used or another server has it; then with
 *   a `StartError`.
 */
export async function takeStateDir(given: string): Promise<StateDir> {
	const path = resolve(given);
	await makePrivate(path);
	const lock = createServer((socket) => socket.destroy());
	try {
		await listen(lock, { path: join(path, "serve.lock") });
	} catch (error) {
		if (error instanceof ListenError && error.code === "NET_ADDRESS_IN_USE")
			throw new StartError(
				"APP_STATE_DIR_IN_USE",
				`Another lateen serves with the state directory ${path}. Stop it, or name another directory with --state-dir.`,
				{ cause: error },
			);
		throw unusable(path, error);
	}
	// The lock must not keep a process alive that has nothing else to do.
	lock.unref();
	const file = join(path, "serve.json");
	return {
		path,
		announce: async (content) => {
			const draft = `${file}.new`;
			await writeFile(draft, `${JSON.stringify(content, undefined, 2)}\n`, {
				mode: 0o600,
			});
			await rename(draft, file);
		},
		[Symbol.asyncDispose]: async () => {
			await rm(file, { force: true });
			await new Promise<void>((done) => lock.close(() => done()));
		},
	};
}

async function makePrivate(path: string): Promise<void> {
	try {
		await mkdir(path, { recursive: true, mode: 0o700 });
		const { mode, uid } = await stat(path);
		const mine = process.getuid?.() ?? uid;
		if (uid !== mine)
			throw new StartError(
				"APP_STATE_DIR_UNUSABLE",
				`The state directory ${path} belongs to another user. Name one of your own with --state-dir.`,
			);
		// A folder that was there before may be one that others need, so its rights are not ours to change.
		if ((mode & 0o022) !== 0)
			throw new StartError(
				"APP_STATE_DIR_UNUSABLE",
				`Others may write to the state directory ${path}, which holds the key that signs proxy tokens. Run \`chmod 700 ${path}\`, or name another directory with --state-dir.`,
			);
	} catch (error) {
		throw error instanceof StartError ? error : unusable(path, error);
	}
}

function unusable(path: string, error: unknown): StartError {
	const why = error instanceof Error ? error.message : String(error);
	return new StartError(
		"APP_STATE_DIR_UNUSABLE",
		`The state directory ${path} cannot be used: ${why} Name another one with --state-dir.`,
		{ cause: error },
	);
}
