import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";

/** A server that answers every request with one word. */
export async function backend(word: string): Promise<Server> {
	const server = createServer((_, response) => response.end(word));
	await new Promise<void>((resolve) => {
		server.listen(0, "127.0.0.1", resolve);
	});
	return server;
}

/** The port it listens on. */
export function portOf(server: Server): number {
	return (server.address() as AddressInfo).port;
}

/** Status and body of a GET. */
export function get(
	port: number,
	path: string,
	host = "localhost",
): Promise<{ readonly status: number; readonly body: string }> {
	return new Promise((resolve, reject) => {
		const call = request(
			{ host: "127.0.0.1", port, path, headers: { host }, agent: false },
			(response) => {
				let body = "";
				response.setEncoding("utf8");
				response.on("data", (text) => {
					body += text;
				});
				response.on("end", () =>
					resolve({ status: response.statusCode ?? 0, body }),
				);
			},
		);
		call.on("error", reject);
		call.end();
	});
}

/** Repeats `attempt` until it gives something; the test's own time limit ends it. */
export async function until<T>(
	attempt: () => Promise<T | undefined>,
): Promise<T> {
	for (;;) {
		const found = await attempt();
		if (found !== undefined) return found;
		await delay(20);
	}
}
