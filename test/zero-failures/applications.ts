import { once } from "node:events";
import {
	createServer,
	type IncomingMessage,
	type ServerResponse,
} from "node:http";
import {
	createServer as createHttp2Server,
	type Http2ServerRequest,
	type Http2ServerResponse,
	type ServerHttp2Session,
} from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import { setImmediate, setTimeout } from "node:timers/promises";
import type { ApplicationSpec, ApplicationsView } from "./sequence.ts";

/** A readiness probe says so this long before an application takes no more connections. */
const notServingMs = 500;

interface Running {
	readonly port: number;
	/** Finishes what is in flight and ends. */
	end(): Promise<void>;
	ended: Promise<void> | undefined;
	isServing: boolean;
}

/**
 * The applications behind the services: each says who it is, after the time that
 * `?slow=MS` asks for. One that ends stops listening, finishes what is in
 * flight and closes its connections.
 */
export class Applications implements AsyncDisposable, ApplicationsView {
	readonly #running = new Map<string, Running>();

	/** Starts an application on a free port of loopback. */
	async start(spec: ApplicationSpec): Promise<void> {
		const running = spec.http2 ? await serveHttp2(spec) : await serve(spec);
		this.#running.set(spec.name, running);
	}

	/** Where an application listens, or listened. */
	readonly portOf = (name: string): number => {
		const running = this.#running.get(name);
		if (running === undefined) throw new Error(`${name} was never started`);
		return running.port;
	};

	/** Whether an application wants to be sent requests. */
	isServing(name: string): boolean {
		return this.#running.get(name)?.isServing === true;
	}

	/** Has an application end after so long; shortly before, it is not serving any more, and that is noticed. */
	endAfter(
		name: string,
		delayMs: number,
		signal: AbortSignal,
		notServing: () => void,
	): void {
		const running = this.#running.get(name);
		if (running === undefined) throw new Error(`${name} was never started`);
		const end = async (): Promise<void> => {
			await setTimeout(Math.max(0, delayMs - notServingMs), undefined, {
				signal,
			});
			running.isServing = false;
			notServing();
			await setTimeout(notServingMs, undefined, { signal });
			// Timers come before sockets: after a stall of the machine, requests that have arrived wait to be read.
			await setImmediate();
		};
		running.ended = end()
			.catch((error: unknown) => {
				// When the run is over it ends at once.
				if (!signal.aborted) throw error;
			})
			.then(() => running.end());
	}

	/** Waits until an application has ended. */
	async ended(name: string): Promise<void> {
		await this.#running.get(name)?.ended;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await Promise.all(
			[...this.#running.values()].map((one) => (one.ended ??= one.end())),
		);
	}
}

function answer(
	{ name, service }: ApplicationSpec,
	request: IncomingMessage | Http2ServerRequest,
	response: ServerResponse | Http2ServerResponse,
	beforeEnd: () => void = () => undefined,
): void {
	const slow = /[?&]slow=(\d+)/.exec(request.url ?? "")?.[1];
	const end = (): void => {
		response.setHeader("x-service", service);
		beforeEnd();
		response.end(`${name}\n`);
	};
	request.resume();
	if (slow === undefined) end();
	else globalThis.setTimeout(end, Number(slow));
}

async function serve(spec: ApplicationSpec): Promise<Running> {
	/** Connections, each with how many requests it has at work. */
	const atWork = new Map<Socket, number>();
	// Longer than proxies keep idle connections, so that none is closed while a request is on its way.
	const server = createServer(
		{ keepAliveTimeout: 75_000 },
		(request, response) => {
			const { socket } = request;
			atWork.set(socket, (atWork.get(socket) ?? 0) + 1);
			response.on("close", () => {
				if (atWork.has(socket))
					atWork.set(socket, (atWork.get(socket) ?? 0) - 1);
			});
			answer(spec, request, response, () => {
				// Node.js keeps the connections of a server that has closed.
				if (!server.listening) response.setHeader("connection", "close");
			});
		},
	);
	server.on("connection", (socket) => {
		atWork.set(socket, 0);
		socket.on("close", () => atWork.delete(socket));
	});
	const port = await listen(server);
	const end = async (): Promise<void> => {
		const all = closed(server);
		// Node.js waits a minute for connections that never had a request.
		for (const [socket, requests] of atWork)
			if (requests === 0) socket.destroy();
		await all;
	};
	return { port, end, ended: undefined, isServing: true };
}

async function serveHttp2(spec: ApplicationSpec): Promise<Running> {
	const sessions = new Set<ServerHttp2Session>();
	const server = createHttp2Server((...pair) => answer(spec, ...pair));
	server.on("session", (session) => {
		sessions.add(session);
		session.on("close", () => sessions.delete(session));
		session.on("error", () => undefined); // The peer is gone; its requests fail on its side.
	});
	const port = await listen(server);
	const end = async (): Promise<void> => {
		const all = closed(server);
		for (const session of sessions) session.close();
		await all;
	};
	return { port, end, ended: undefined, isServing: true };
}

async function listen(server: Server): Promise<number> {
	server.listen(0, "127.0.0.1");
	await once(server, "listening");
	return (server.address() as AddressInfo).port;
}

async function closed(server: Server): Promise<void> {
	const all = once(server, "close");
	server.close();
	await all;
}
