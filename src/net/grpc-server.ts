import { once } from "node:events";
import {
	constants,
	type IncomingHttpHeaders,
	performServerHandshake,
	type ServerHttp2Session,
	type ServerHttp2Stream,
	type ServerOptions,
} from "node:http2";
import { createServer, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { grpcStatus } from "../lib/grpc-error.ts";
import type { Logger } from "../observability/logger.ts";
import { type Address, printAddress } from "./address.ts";
import { ByteBudget } from "./byte-budget.ts";
import { type GrpcMethod, refuseCall, serveCall } from "./grpc-call.ts";
import { defaultGrpcLimits, type GrpcLimits } from "./grpc-limits.ts";
import { listen } from "./listen.ts";
import {
	type ServerMaterial,
	serverTlsOptions,
	superviseTls,
} from "./server-tls.ts";
import { guardSession } from "./session-guard.ts";

/** What a gRPC server serves, and where. */
export interface GrpcServerOptions {
	readonly listen: Address;
	/** By `/package.Service/Method`. */
	readonly methods: ReadonlyMap<string, GrpcMethod>;
	/** Certificate and key for TLS; without them it is plain HTTP/2. */
	readonly tls?: ServerMaterial;
	/** Instead of the defaults. */
	readonly limits?: Partial<GrpcLimits>;
	readonly log: Logger;
}

/** A gRPC server that listens; disposing of it stops it gracefully. */
export interface GrpcServer extends AsyncDisposable {
	/** Where it really listens: with the port that the system chose. */
	readonly address: Address;
	/** What is open now. */
	open(): { readonly connections: number; readonly streams: number };
}

/**
 * Receive window of one stream. It bounds what a client can send before the
 * method reads; requests are small, so a round trip per window costs nothing.
 */
const streamWindowBytes = 256 * 1024;

/** Receive window of a connection: several streams can send at once. */
const connectionWindowBytes = 4 * streamWindowBytes;

/**
 * Pending writes of one connection in MB. One batch per stream is pending at
 * most, but the default of 10 would refuse streams beside a few large pushes.
 */
const maxSessionMemoryMb = 128;

/**
 * Starts a gRPC server over HTTP/2, with TLS when there is a certificate for it.
 *
 * Guarantees: a method's generator is asked for the next response only when
 *   the previous one was taken by the client; requests are read from the socket
 *   only as the method consumes them; a client that breaks the protocol or a
 *   limit loses its own stream or connection and nothing else. With TLS (1.2 or
 *   later, and `h2` agreed on) a new certificate takes effect with the next
 *   connection and disturbs no open one.
 * Fails when: it cannot listen; then with a `ListenError`.
 */
export async function serveGrpc(
	options: GrpcServerOptions,
): Promise<GrpcServer> {
	const { methods, log } = options;
	const limits: GrpcLimits = { ...defaultGrpcLimits, ...options.limits };
	const stopping = new AbortController();
	const sessions = new Map<ServerHttp2Session, Socket>();
	const budget = new ByteBudget(limits.maxBufferedRequestBytes);
	let streams = 0;

	const accept = (socket: Socket): void => {
		socket.setNoDelay(true);
		const client = clientOf(socket, options.listen);
		const session = performServerHandshake(socket, sessionOptions(limits));
		sessions.set(session, socket);
		const guard = guardSession(session, limits, (reason) => {
			log.warn("Closed a gRPC connection", { client, reason });
			destroy(session, socket);
		});
		socket.once("close", () => {
			guard.release();
			sessions.delete(session);
			session.destroy();
		});
		// The peer's reset, or bytes that are no HTTP/2: the connection ends, there is nobody to tell.
		socket.on("error", () => destroy(session, socket));
		session.on("error", () => destroy(session, socket));
		session.setLocalWindowSize(connectionWindowBytes);

		const ownBudget = new ByteBudget(2 * limits.maxRequestBytes, budget);
		let ownStreams = 0;
		session.on("stream", (stream, headers, _flags, rawHeaders) => {
			// Reported by "close"; without a listener it would end the process.
			stream.on("error", () => {});
			// A client may open more than it was granted before it has seen the settings.
			if (
				ownStreams >= limits.maxStreamsPerConnection ||
				stopping.signal.aborted
			) {
				stream.close(constants.NGHTTP2_REFUSED_STREAM);
				return;
			}
			streams += 1;
			ownStreams += 1;
			guard.streamOpened();
			stream.once("close", () => {
				streams -= 1;
				ownStreams -= 1;
				guard.streamClosed();
			});
			if (streams > limits.maxStreams) {
				refuseCall(
					stream,
					grpcStatus.resourceExhausted,
					"The server has too many open streams; try again later.",
				);
				return;
			}
			// HTTP/2 only announces this limit; the library enforces 64 KiB.
			if (headerBytes(rawHeaders) > limits.maxHeaderBytes) {
				refuseCall(
					stream,
					grpcStatus.resourceExhausted,
					`The headers are larger than ${limits.maxHeaderBytes} bytes.`,
				);
				return;
			}
			const path = headers[":path"] ?? "";
			const method = admit(stream, headers, methods);
			if (method === undefined) return;
			void serveCall({
				stream,
				path,
				headers,
				client,
				method,
				limits,
				budget: ownBudget,
				log,
				stopping: stopping.signal,
			});
		});
	};

	const acceptSecure = (socket: TLSSocket): void => {
		if (socket.alpnProtocol === "h2") accept(socket);
		else socket.destroy();
	};
	const secure =
		options.tls === undefined
			? undefined
			: createTlsServer(
					{ ALPNProtocols: ["h2"], ...serverTlsOptions(limits) },
					acceptSecure,
				);
	const server = secure ?? createServer(accept);
	const handshakes =
		secure === undefined || options.tls === undefined
			? undefined
			: superviseTls(secure, options.tls, log);
	server.maxConnections = limits.maxConnections;
	server.on("drop", () =>
		log.warn("Refused a gRPC connection: too many are open", {
			maxConnections: limits.maxConnections,
		}),
	);
	const address = await listen(server, options.listen).catch(
		(error: unknown) => {
			handshakes?.stop();
			throw error;
		},
	);
	server.on("error", (cause) =>
		log.error("The gRPC server cannot accept a connection", { cause }),
	);

	return {
		address,
		open: () => ({ connections: sessions.size, streams }),
		async [Symbol.asyncDispose]() {
			if (stopping.signal.aborted) return;
			const closed = new Promise<void>((resolve) => {
				server.close(() => resolve());
			});
			stopping.abort();
			handshakes?.stop();
			for (const session of sessions.keys()) session.close();
			const deadline = setTimeout(() => {
				for (const [session, socket] of sessions) destroy(session, socket);
			}, limits.stopMs);
			await closed;
			for (const socket of sessions.values()) await once(socket, "close");
			clearTimeout(deadline);
		},
	};
}

function sessionOptions(limits: GrpcLimits): ServerOptions {
	return {
		maxSessionMemory: maxSessionMemoryMb,
		maxSessionInvalidFrames: 100,
		maxSessionRejectedStreams: 1000,
		maxSettings: 32,
		maxOutstandingPings: 4,
		maxHeaderListPairs: 128,
		settings: {
			initialWindowSize: streamWindowBytes,
			maxConcurrentStreams: limits.maxStreamsPerConnection,
			maxHeaderListSize: limits.maxHeaderBytes,
			enablePush: false,
		},
	};
}

/** As SETTINGS_MAX_HEADER_LIST_SIZE counts them, RFC 9113 section 6.5.2. */
function headerBytes(rawHeaders: readonly string[]): number {
	let bytes = 0;
	for (const text of rawHeaders) bytes += text.length + 16;
	return bytes;
}

/** The method that is called, or undefined after the stream was answered with why not. */
function admit(
	stream: ServerHttp2Stream,
	headers: IncomingHttpHeaders,
	methods: ReadonlyMap<string, GrpcMethod>,
): GrpcMethod | undefined {
	const isGrpc =
		headers[":method"] === "POST" &&
		/^application\/grpc($|[+;])/.test(headers["content-type"] ?? "");
	if (!isGrpc) {
		stream.respond({ ":status": 415 }, { endStream: true });
		stream.close(constants.NGHTTP2_NO_ERROR);
		return undefined;
	}
	const path = headers[":path"] ?? "";
	const method = methods.get(path);
	if (method === undefined) {
		refuseCall(
			stream,
			grpcStatus.unimplemented,
			`This server has no method ${path}.`,
		);
	}
	return method;
}

/** `session.destroy` alone waits for pending writes, which a hostile peer never takes. */
function destroy(session: ServerHttp2Session, socket: Socket): void {
	session.destroy();
	socket.destroy();
}

function clientOf(socket: Socket, listening: Address): string {
	return socket.remoteAddress !== undefined && socket.remotePort !== undefined
		? printAddress({ host: socket.remoteAddress, port: socket.remotePort })
		: printAddress(listening);
}
