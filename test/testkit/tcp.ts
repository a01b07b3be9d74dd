import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { LiveMesh } from "./live-mesh.ts";

/** Starts a server of plain TCP that answers all it hears with `<name>:` before it; returns its port. */
export async function tcpApplication(
	mesh: LiveMesh,
	name: string,
): Promise<number> {
	const sockets = new Set<Socket>();
	const server: Server = createServer((socket) => {
		sockets.add(socket);
		socket.on("close", () => sockets.delete(socket));
		socket.on("error", () => socket.destroy());
		socket.on("data", (data) => socket.write(`${name}:${data}`));
	});
	mesh.atEnd(() => {
		for (const socket of sockets) socket.destroy();
	});
	return mesh.listen(server);
}

/** Opens a connection to `address:port`. */
export async function dial(
	address: string,
	localAddress?: string,
): Promise<Socket> {
	const [host = "", port] = address.split(":");
	const socket = connect({
		host,
		port: Number(port),
		...(localAddress && { localAddress }),
	});
	await once(socket, "connect");
	return socket;
}

/** Sends text and returns the first that comes back; empty when the connection ends instead. */
export async function exchange(socket: Socket, text: string): Promise<string> {
	socket.write(text);
	return heard(socket);
}

/** The next that comes; empty when the connection ends instead. */
export function heard(socket: Socket): Promise<string> {
	return new Promise((resolve) => {
		const finish = (text: string): void => {
			clearTimeout(timer);
			socket.off("data", took).off("close", ended).off("end", ended);
			resolve(text);
		};
		const took = (data: Buffer): void => finish(data.toString());
		const ended = (): void => finish("");
		const timer = setTimeout(() => finish("nothing came in time"), 10_000);
		socket.on("error", () => undefined);
		socket.once("data", took).once("close", ended).once("end", ended);
	});
}

/** Opens a connection, says something, closes it again; returns what came back. */
export async function say(
	address: string,
	text: string,
	localAddress?: string,
): Promise<string> {
	const socket = await dial(address, localAddress);
	try {
		return await exchange(socket, text);
	} finally {
		socket.destroy();
	}
}
