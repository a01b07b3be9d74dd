/**
 * The application of pods in tests of traffic, put into one file with its gRPC library:
 *
 *   traffic-app serve             on 8080 HTTP with WebSockets and /metrics, 7777 the same, 7000 gRPC, 8443 HTTPS where it
 *                                 has a certificate, 9000 TCP that greets, 9001 TCP that echoes
 *   traffic-app http URL [NAME=VALUE]...     asks once
 *   traffic-app tls HOST PORT NAME           asks `GET /` by TLS for this server name
 *   traffic-app tcp HOST PORT [TEXT]         prints what the server says first, or to the text
 *   traffic-app websocket URL IDLE_MS        says something, waits, and says something more
 *   traffic-app grpc HOST:PORT               one call of each kind, and one that fails
 *
 * Each of the latter prints one line of JSON.
 */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import {
	Agent,
	createServer as createHttp,
	get,
	type IncomingMessage,
	type ServerResponse,
} from "node:http";
import { createServer as createHttps } from "node:https";
import { connect, createServer as createTcp, type Socket } from "node:net";
import { hostname } from "node:os";
import { text } from "node:stream/consumers";
import { setTimeout as pause } from "node:timers/promises";
import { connect as connectTls } from "node:tls";
import { callGrpc, serveGrpc } from "./traffic-grpc.ts";

/** What an application says of a request that it got. */
export interface Request {
	readonly pod: string;
	/** Where the connection came from: the proxy beside it has an address of its own. */
	readonly from: string;
	readonly host: string;
	readonly isTls: boolean;
}

/** What came of asking by HTTP or TLS. */
export interface Answer {
	readonly status: number;
	/** What the application said; absent when something else answered. */
	readonly seen?: Request;
	readonly body: string;
}

/** What came of a WebSocket. */
export interface Talk {
	readonly echoes: readonly string[];
	/** Code of its end; absent when the client ended it. */
	readonly closed?: number;
}

/** What came of a connection of plain TCP. */
export interface Said {
	readonly said: string;
}

const TIMEOUT_MS = 10_000;
const CERTIFICATE = "/certificate";

const [what, ...args] = process.argv.slice(2);
const [first = "", second = "", third = ""] = args;
switch (what) {
	case "serve":
		serve();
		break;
	case "http":
		await print(() => http(first, args.slice(1)));
		break;
	case "tls":
		await print(() => tls(first, Number(second), third));
		break;
	case "tcp":
		await print(() => tcp(first, Number(second), args[2]));
		break;
	case "websocket":
		await print(() => websocket(first, Number(second)));
		break;
	case "grpc":
		await print(() => callGrpc(first));
		break;
	default:
		throw new Error("Say what to do.");
}

async function print(act: () => Promise<unknown>): Promise<void> {
	const outcome = await act().catch((error: unknown) => ({
		error: error instanceof Error ? codeOf(error) : String(error),
	}));
	// A long answer is not written at once.
	process.stdout.write(`${JSON.stringify(outcome)}\n`, () => process.exit());
}

function codeOf(error: Error & { readonly code?: unknown }): string {
	return typeof error.code === "string" ? error.code : error.message;
}

function serve(): void {
	const server = (port: number): void => {
		createHttp(answer)
			.on("upgrade", (request, socket) => upgrade(request, socket as Socket))
			.listen(port, "::");
	};
	server(8080);
	server(7777);
	try {
		createHttps(
			{
				key: readFileSync(`${CERTIFICATE}/tls.key`),
				cert: readFileSync(`${CERTIFICATE}/tls.crt`),
			},
			answer,
		).listen(8443, "::");
	} catch {
		// Most pods have no certificate.
	}
	createTcp((socket) => {
		socket.on("error", () => socket.destroy());
		socket.write(`hello from ${hostname()} to ${fromOf(socket)}\n`);
	}).listen(9000, "::");
	createTcp((socket) => {
		socket.on("error", () => socket.destroy());
		socket.on("data", (chunk) =>
			socket.write(`${hostname()} to ${fromOf(socket)}: ${chunk}`),
		);
	}).listen(9001, "::");
	serveGrpc();
	process.on("SIGTERM", () => process.exit(0));
	console.log("serving");
}

function answer(request: IncomingMessage, response: ServerResponse): void {
	if (request.url === "/metrics") {
		response.end(`app_pod{name="${hostname()}"} 1\n`);
		return;
	}
	response.setHeader("content-type", "application/json");
	response.end(JSON.stringify(requestOf(request)));
}

function requestOf(request: IncomingMessage): Request {
	const { socket, headers } = request;
	return {
		pod: hostname(),
		from: fromOf(socket),
		host: headers.host ?? "",
		isTls: "encrypted" in socket,
	};
}

function fromOf(socket: Socket): string {
	return (socket.remoteAddress ?? "").replace("::ffff:", "");
}

/** Echoes what a WebSocket says (RFC 6455, section 5), in frames of less than 126 bytes as the client here has them. */
function upgrade(request: IncomingMessage, socket: Socket): void {
	const key = request.headers["sec-websocket-key"] ?? "";
	const accept = createHash("sha1")
		.update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
		.digest("base64");
	socket.on("error", () => socket.destroy());
	socket.write(
		[
			"HTTP/1.1 101 Switching Protocols",
			"Upgrade: websocket",
			"Connection: Upgrade",
			`Sec-WebSocket-Accept: ${accept}`,
			"\r\n",
		].join("\r\n"),
	);
	socket.on("data", (frame: Buffer) => {
		const opcode = (frame[0] ?? 0) & 0x0f;
		const length = (frame[1] ?? 0) & 0x7f;
		const mask = frame.subarray(2, 6);
		const payload = frame
			.subarray(6, 6 + length)
			.map((byte, at) => byte ^ (mask[at % 4] ?? 0));
		if (opcode === 8) {
			socket.end(Buffer.from([0x88, 0]));
			return;
		}
		const said = Buffer.concat([Buffer.from(`${hostname()}: `), payload]);
		socket.write(Buffer.concat([Buffer.from([0x81, said.length]), said]));
	});
}

async function http(url: string, headers: readonly string[]): Promise<Answer> {
	const request = get(url, {
		headers: Object.fromEntries(
			headers.map((header) => header.split("=", 2) as [string, string]),
		),
		agent: new Agent(),
		signal: AbortSignal.timeout(TIMEOUT_MS),
	});
	const [response] = (await once(request, "response")) as [IncomingMessage];
	return answerOf(response.statusCode ?? 0, await text(response));
}

function answerOf(status: number, body: string): Answer {
	const isJson = body.startsWith("{");
	return {
		status,
		body,
		...(isJson && { seen: JSON.parse(body) as Request }),
	};
}

async function tls(
	host: string,
	port: number,
	servername: string,
): Promise<Answer> {
	const socket = connectTls({
		...{ host, port, servername },
		rejectUnauthorized: false,
	});
	socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("Silence.")));
	await once(socket, "secureConnect");
	socket.write(
		`GET / HTTP/1.1\r\nhost: ${servername}\r\nconnection: close\r\n\r\n`,
	);
	const said = await text(socket);
	const [, status] = said.split(" ", 2);
	return answerOf(Number(status), said.slice(said.indexOf("\r\n\r\n") + 4));
}

async function tcp(
	host: string,
	port: number,
	say: string | undefined,
): Promise<Said> {
	const socket = connect(port, host);
	socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error("Silence.")));
	if (say !== undefined) socket.write(say);
	socket.on("end", () => socket.destroy(new Error("It hung up.")));
	const [said] = (await once(socket, "data")) as [Buffer];
	return { said: said.toString() };
}

async function websocket(url: string, idleMs: number): Promise<Talk> {
	const socket = new WebSocket(url);
	const echoes: string[] = [];
	let closed: number | undefined;
	socket.addEventListener("close", ({ code }) => {
		closed = code;
	});
	const say = async (word: string): Promise<void> => {
		const reply = Promise.race([
			once(socket, "message"),
			once(socket, "close"),
			once(socket, "error"),
		]) as Promise<[MessageEvent]>;
		socket.send(word);
		const [{ data }] = await reply;
		if (typeof data === "string") echoes.push(data);
	};
	await Promise.race([
		once(socket, "open"),
		once(socket, "error").then(() => {
			throw new Error("It was not upgraded.");
		}),
	]);
	await say("first");
	await pause(idleMs);
	if (closed === undefined) await say("second");
	return { echoes, ...(closed !== undefined && { closed }) };
}
