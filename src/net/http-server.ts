import {
	createServer,
	type IncomingMessage,
	type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { Socket } from "node:net";
import type { HttpHandler, HttpResponse } from "../lib/handler.ts";
import type { Logger } from "../observability/logger.ts";
import type { Address } from "./address.ts";
import { readRequest, writeResponse } from "./http-exchange.ts";
import { defaultHttpLimits, type HttpLimits } from "./http-limits.ts";
import { listen } from "./listen.ts";
import {
	type ServerMaterial,
	serverTlsOptions,
	superviseTls,
} from "./server-tls.ts";

/** What an HTTP server serves, and where. */
export interface HttpServerOptions {
	readonly listen: Address;
	readonly handler: HttpHandler;
	/** Certificate and key for HTTPS; without them it is plain HTTP. */
	readonly tls?: ServerMaterial;
	/** Instead of the defaults. */
	readonly limits?: Partial<HttpLimits>;
	readonly log: Logger;
}

/** An HTTP server that listens; disposing of it stops it gracefully. */
export interface HttpServer extends AsyncDisposable {
	/** Where it really listens: with the port that the system chose. */
	readonly address: Address;
}

/**
 * How long a stop waits for the first request of a connection that has just
 * been opened. Node.js counts such a connection among those with a request.
 * Milliseconds.
 */
const firstRequestMs = 100;

/**
 * Starts an HTTP/1.1 server for one handler, with TLS when there is a certificate for it.
 *
 * Guarantees: the handler's signal is aborted when the client goes away or the
 *   server stops; a streamed body is pulled only as fast as the client reads;
 *   an error of the handler is "internal error" to the client and a log entry
 *   to us; pages of other sites cannot reach a loopback port (`foreignOrigin`).
 *   With TLS (1.2 or later) a new certificate takes effect with the next
 *   connection and disturbs no open one.
 * Fails when: it cannot listen; then with a `ListenError`.
 */
export async function serveHttp(
	options: HttpServerOptions,
): Promise<HttpServer> {
	const { handler, log } = options;
	const limits: HttpLimits = { ...defaultHttpLimits, ...options.limits };
	const stopping = new AbortController();
	let listening = options.listen;

	const serve = async (
		message: IncomingMessage,
		response: ServerResponse,
	): Promise<void> => {
		const controller = new AbortController();
		const abort = (): void => {
			controller.abort();
			// Where the answer had begun before the stop, the client was not told that it is the last.
			if (stopping.signal.aborted)
				setImmediate(() => server.closeIdleConnections());
		};
		response.once("close", abort);
		stopping.signal.addEventListener("abort", abort, { once: true });
		// Reported by "close"; without a listener it would end the process.
		response.on("error", () => {});
		try {
			const read = await readRequest(message, listening, limits.maxBodyBytes);
			const answer: HttpResponse =
				"refusal" in read
					? read.refusal
					: await handler(read.request, controller.signal);
			if (stopping.signal.aborted && !response.headersSent)
				response.setHeader("connection", "close");
			await writeResponse(
				response,
				answer,
				message.method !== "HEAD",
				limits.blockedWriteMs,
			);
			if ("refusal" in read) message.resume();
		} catch (cause) {
			if (controller.signal.aborted || message.socket.destroyed) {
				response.destroy();
				return;
			}
			log.error("An HTTP request failed", {
				method: message.method,
				path: message.url,
				cause,
			});
			if (response.headersSent) response.destroy();
			else {
				response.writeHead(500, { "content-type": "text/plain" });
				response.end("internal error\n");
			}
		} finally {
			stopping.signal.removeEventListener("abort", abort);
		}
	};

	const serverOptions = {
		maxHeaderSize: limits.maxHeaderBytes,
		headersTimeout: limits.headersMs,
		requestTimeout: limits.requestMs,
		keepAliveTimeout: limits.keepAliveMs,
		connectionsCheckingInterval: Math.min(limits.headersMs, 5_000),
	};
	/** Connections over which no request has come yet. */
	const silent = new Set<Socket>();
	const onRequest = (
		message: IncomingMessage,
		response: ServerResponse,
	): void => {
		silent.delete(message.socket);
		void serve(message, response);
	};
	const secure =
		options.tls === undefined
			? undefined
			: createTlsServer(
					{ ...serverOptions, ...serverTlsOptions(limits) },
					onRequest,
				);
	const server = secure ?? createServer(serverOptions, onRequest);
	const handshakes =
		secure === undefined || options.tls === undefined
			? undefined
			: superviseTls(secure, options.tls, log);
	server.on(
		secure === undefined ? "connection" : "secureConnection",
		(socket: Socket) => {
			silent.add(socket);
			socket.once("close", () => silent.delete(socket));
		},
	);
	server.maxConnections = limits.maxConnections;
	server.maxHeadersCount = 100;
	const address = await listen(server, options.listen).catch(
		(error: unknown) => {
			handshakes?.stop();
			throw error;
		},
	);
	listening = address;
	server.on("error", (cause) =>
		log.error("The HTTP server cannot accept a connection", { cause }),
	);

	return {
		address,
		async [Symbol.asyncDispose]() {
			if (stopping.signal.aborted) return;
			const closed = new Promise<void>((resolve) => {
				server.close(() => resolve());
			});
			handshakes?.stop();
			server.closeIdleConnections();
			stopping.abort();
			const deadlines = [
				setTimeout(() => {
					for (const socket of silent) socket.destroy();
				}, firstRequestMs),
				setTimeout(() => server.closeAllConnections(), limits.stopMs),
			];
			await closed;
			for (const deadline of deadlines) clearTimeout(deadline);
		},
	};
}
