import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Below what systems hand out by themselves (from 32768 on Linux), so that no
 * outgoing connection takes a port between its choice and its use.
 */
const FIRST = 20_000;
const LAST = 31_999;

/** Chooses ports that nobody listens on, on loopback and at `address`; `preferred` ones first where they are free. */
export async function freePorts(
	count: number,
	preferred: readonly number[] = [],
	address = "127.0.0.1",
): Promise<readonly number[]> {
	const found: number[] = [];
	const hosts = new Set(["127.0.0.1", address]);
	for (const port of preferred) {
		if (found.length < count && (await isFree(port, hosts))) found.push(port);
	}
	// A start of its own keeps two demos that begin at once apart.
	const start = Math.floor(Math.random() * (LAST - FIRST + 1));
	for (let step = 0; step <= LAST - FIRST && found.length < count; step++) {
		const port = FIRST + ((start + step) % (LAST - FIRST + 1));
		if (!found.includes(port) && (await isFree(port, hosts))) found.push(port);
	}
	if (found.length < count) {
		throw new Error(
			`${count} free ports are needed between ${FIRST} and ${LAST}, and there are only ${found.length}. End some programs that listen there.`,
		);
	}
	return found;
}

async function isFree(
	port: number,
	hosts: ReadonlySet<string>,
): Promise<boolean> {
	for (const host of hosts) {
		const server = createServer();
		server.listen({ port, host, exclusive: true });
		try {
			await once(server, "listening");
		} catch {
			return false; // In use or not allowed: either way not ours.
		}
		server.close();
		await once(server, "close");
	}
	return true;
}
