import { lstat, unlink } from "node:fs/promises";
import { connect, type Server } from "node:net";
import { type Address, printAddress } from "./address.ts";
import { ListenError } from "./listen-error.ts";
import { systemErrorCode } from "./system-error.ts";

/**
 * Connections that wait to be accepted. Node's 511 are too few for a thousand
 * proxies that come back at once: the system drops the others, which try again
 * after one second, then two, then four. The system's own limit may be lower.
 */
const backlog = 4096;

/**
 * Makes a server listen and answers with the address that it really got.
 *
 * Guarantees: a Unix socket is for its owner only (mode 0600) from the moment
 *   it exists; a socket file is removed first only when nobody answers on it.
 * Fails when: the address is taken or not ours; then with a `ListenError`.
 */
export async function listen(
	server: Server,
	address: Address,
): Promise<Address> {
	if ("path" in address) await removeStaleSocket(address.path);
	await new Promise<void>((resolve, reject) => {
		const failed = (error: Error): void => reject(refusal(error, address));
		server.once("error", failed);
		const listening = (): void => {
			server.off("error", failed);
			resolve();
		};
		if ("path" in address) {
			// The socket is bound inside this call, so nothing else is created under this mask.
			const mask = process.umask(0o177);
			try {
				server.listen({ path: address.path, backlog }, listening);
			} finally {
				process.umask(mask);
			}
		} else {
			server.listen(
				{ host: address.host, port: address.port, backlog },
				listening,
			);
		}
	});
	const bound = server.address();
	if (bound === null || typeof bound === "string") return address;
	return { host: bound.address, port: bound.port };
}

async function removeStaleSocket(path: string): Promise<void> {
	const found = await lstat(path).catch((error: unknown) => {
		if (systemErrorCode(error) === "ENOENT") return undefined;
		throw refusal(error, { path });
	});
	if (found === undefined) return;
	if (!found.isSocket()) {
		throw new ListenError(
			"NET_CANNOT_LISTEN",
			`${path} exists and is no socket. Remove it, or choose another path.`,
		);
	}
	if (await somebodyAnswers(path)) throw inUse({ path });
	await unlink(path).catch((error: unknown) => {
		if (systemErrorCode(error) !== "ENOENT") throw refusal(error, { path });
	});
}

function somebodyAnswers(path: string): Promise<boolean> {
	return new Promise((resolve) => {
		const probe = connect({ path });
		probe.once("connect", () => {
			probe.destroy();
			resolve(true);
		});
		probe.once("error", (error) => {
			// Only a refusal proves that nobody listens; a full queue or a missing right does not.
			const code = systemErrorCode(error);
			resolve(code !== "ECONNREFUSED" && code !== "ENOENT");
		});
	});
}

function inUse(address: Address, cause?: unknown): ListenError {
	const other =
		"path" in address
			? "another path"
			: "another port (0 lets the system choose one)";
	return new ListenError(
		"NET_ADDRESS_IN_USE",
		`${printAddress(address)} is in use by another process. Stop that process, or listen on ${other}.`,
		{ cause },
	);
}

function refusal(error: unknown, address: Address): ListenError {
	const where = printAddress(address);
	switch (systemErrorCode(error)) {
		case "EADDRINUSE":
			return inUse(address, error);
		case "EACCES":
		case "EPERM":
			return new ListenError(
				"NET_CANNOT_LISTEN",
				// A missing directory is reported like one that is not writable.
				"path" in address
					? `${where} cannot be created: its directory does not exist, or this user may not write there. Create the directory, or choose another path.`
					: `This user may not listen on ${where}. Choose a port above 1023.`,
				{ cause: error },
			);
		case "EADDRNOTAVAIL":
			return new ListenError(
				"NET_CANNOT_LISTEN",
				`${where} is not an address of this machine. Listen on 127.0.0.1, or on 0.0.0.0 for every address.`,
				{ cause: error },
			);
		case "EINVAL":
		case "ENAMETOOLONG":
			return new ListenError(
				"NET_CANNOT_LISTEN",
				`Cannot listen on ${where}. The path of a Unix socket has at most 107 bytes: choose a shorter one.`,
				{ cause: error },
			);
		default:
			return new ListenError(
				"NET_CANNOT_LISTEN",
				`Cannot listen on ${where}: ${error instanceof Error ? error.message : String(error)}.`,
				{ cause: error },
			);
	}
}
