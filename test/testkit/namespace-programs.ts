/**
 * Servers and clients that run inside a network namespace, on behalf of a test
 * outside of it (`namespace-agent.ts` runs them there).
 */
import { once } from "node:events";
import {
	createServer as createHttpServer,
	type Server as HttpServer,
	request as httpRequest,
	type IncomingMessage,
} from "node:http";
import { connect as connectHttp2 } from "node:http2";
import {
	connect,
	createServer as createTcpServer,
	type Server,
	type Socket,
} from "node:net";
import { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import {
	credentials,
	type Client as GrpcClient,
	Server as GrpcServer,
	makeGenericClientConstructor,
	ServerCredentials,
	type ServiceDefinition,
} from "@grpc/grpc-js";

/** What an HTTP application saw of a request; its answer is this as JSON. */
export interface Seen {
	/** Name that the application was started with. */
	readonly application: string;
	readonly method: string;
	readonly url: string;
	readonly headers: Readonly<Record<string, string | readonly string[]>>;
	/** Address that the connection came from. */
	readonly from: string;
}

/** Where something listens or is to be reached. */
export interface Place {
	readonly address: string;
	readonly port: number;
}

/** An answer to an HTTP request. */
export interface HttpAnswer {
	readonly status: number;
	readonly headers: Readonly<Record<string, string | readonly string[]>>;
	readonly body: string;
}

/** A request over HTTP. */
export interface HttpAsk extends Place {
	readonly path?: string;
	readonly headers?: Readonly<Record<string, string>>;
}

/** Later than this an answer is as good as none. */
const PATIENCE_MS = 8_000;

/** Runs an HTTP application that says what it saw, and echoes after an upgrade. */
async function serveHttp({
	name,
	address,
	port,
}: Place & { readonly name: string }): Promise<void> {
	const server = createHttpServer((request, response) => {
		request.resume().on("end", () => {
			response.setHeader("content-type", "application/json");
			response.end(JSON.stringify(seenBy(name, request)));
		});
	});
	server.on("upgrade", (request, socket) => {
		socket.on("error", () => socket.destroy());
		socket.write(
			`HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ${request.headers.upgrade}\r\n\r\n`,
		);
		socket.on("data", (data: Buffer) => socket.write(`${name} ${data}`));
	});
	await listening(server, { address, port });
}

function seenBy(application: string, request: IncomingMessage): Seen {
	return {
		application,
		method: request.method ?? "",
		url: request.url ?? "",
		headers: request.headers as Seen["headers"],
		from: request.socket.remoteAddress ?? "",
	};
}

/** Runs a TCP application that answers each line, or says one of its own as soon as somebody connects. */
async function serveTcp({
	name,
	address,
	port,
	speaksFirst,
}: Place & {
	readonly name: string;
	readonly speaksFirst: boolean;
}): Promise<void> {
	const server = createTcpServer((socket) => {
		socket.on("error", () => socket.destroy());
		if (speaksFirst) socket.write(`${name} ${socket.remoteAddress} welcome\n`);
		socket.on("data", (data) => {
			socket.write(`${name} ${socket.remoteAddress} ${data}`);
		});
	});
	await listening(server, { address, port });
}

async function listening(
	server: HttpServer | Server,
	{ address, port }: Place,
): Promise<void> {
	server.listen(port, address);
	await once(server, "listening");
}

const text = {
	requestSerialize: (value: string) => Buffer.from(value),
	requestDeserialize: (bytes: Buffer) => bytes.toString(),
	responseSerialize: (value: string) => Buffer.from(value),
	responseDeserialize: (bytes: Buffer) => bytes.toString(),
};
const echoService = {
	say: {
		path: "/lateen.test.Echo/Say",
		requestStream: false,
		responseStream: false,
		...text,
	},
} satisfies ServiceDefinition;

/** Runs a gRPC application that answers with its name and what it was told. */
async function serveGrpc({
	name,
	address,
	port,
}: Place & { readonly name: string }): Promise<void> {
	const server = new GrpcServer();
	server.addService(echoService, {
		say: (
			call: { readonly request: string },
			answer: (error: null, value: string) => void,
		) => answer(null, `${name} ${call.request}`),
	});
	await new Promise<void>((resolve, reject) => {
		server.bindAsync(
			`${address}:${port}`,
			ServerCredentials.createInsecure(),
			(error) => (error ? reject(error) : resolve()),
		);
	});
}

/** Asks over HTTP/1.1, on a connection of its own. */
async function ask({
	address,
	port,
	path = "/",
	headers = {},
}: HttpAsk): Promise<HttpAnswer> {
	const request = httpRequest({
		host: address,
		port,
		path,
		headers,
		agent: false,
		signal: AbortSignal.timeout(PATIENCE_MS),
	});
	request.end();
	const [response] = (await once(request, "response")) as [IncomingMessage];
	const chunks: Buffer[] = [];
	for await (const chunk of response) chunks.push(chunk as Buffer);
	return {
		status: response.statusCode ?? 0,
		headers: response.headers as HttpAnswer["headers"],
		body: Buffer.concat(chunks).toString(),
	};
}

/** Asks over HTTP/2 without TLS, with prior knowledge. */
async function askHttp2({
	address,
	port,
	path = "/",
	headers = {},
}: HttpAsk): Promise<HttpAnswer> {
	const { host = `${address}:${port}`, ...others } = headers;
	const session = connectHttp2(`http://${address}:${port}`);
	session.setTimeout(PATIENCE_MS, () => session.destroy());
	try {
		const stream = session.request({
			":path": path,
			":authority": host,
			...others,
		});
		const [received] = (await once(stream, "response")) as [
			Readonly<Record<string, string>>,
		];
		const chunks: Buffer[] = [];
		for await (const chunk of stream) chunks.push(chunk as Buffer);
		return {
			status: Number(received[":status"]),
			headers: { ...received },
			body: Buffer.concat(chunks).toString(),
		};
	} finally {
		session.destroy();
	}
}

/** Calls the gRPC application; `authority` is the name that it is called by. */
async function askGrpc({
	address,
	port,
	authority,
	say,
}: Place & {
	readonly authority: string;
	readonly say: string;
}): Promise<string> {
	const Constructor = makeGenericClientConstructor(echoService, "Echo");
	const client: GrpcClient = new Constructor(
		`${address}:${port}`,
		credentials.createInsecure(),
		{ "grpc.default_authority": authority },
	);
	try {
		return await new Promise((resolve, reject) => {
			client.makeUnaryRequest(
				echoService.say.path,
				text.requestSerialize,
				text.responseDeserialize,
				say,
				{ deadline: Date.now() + PATIENCE_MS },
				(error, value) => (error ? reject(error) : resolve(value ?? "")),
			);
		});
	} finally {
		client.close();
	}
}

/** What came of talking TCP. */
export type Talk =
	| { readonly kind: "said"; readonly text: string; readonly afterMs: number }
	/** The connection was refused, reset or ended before anything was said. */
	| { readonly kind: "closed"; readonly why: string };

/**
 * Connects, says a line unless it is only to listen, and waits for the first
 * bytes. With a server name it says what TLS begins with instead.
 */
async function talk({
	address,
	port,
	say,
	serverName,
}: Place & {
	readonly say?: string;
	readonly serverName?: string;
}): Promise<Talk> {
	const first =
		serverName === undefined
			? say === undefined
				? undefined
				: `${say}\n`
			: await clientHello(serverName);
	const startMs = performance.now();
	const socket = connect(port, address);
	try {
		return await new Promise<Talk>((resolve, reject) => {
			const closed = (why: string) => resolve({ kind: "closed", why });
			socket.setTimeout(PATIENCE_MS, () =>
				reject(new Error(`${address}:${port} says nothing`)),
			);
			socket.on("error", (error) => closed(error.message));
			socket.on("end", () => closed("end"));
			socket.on("data", (data: Buffer) =>
				resolve({
					kind: "said",
					text: data.toString().trim(),
					afterMs: performance.now() - startMs,
				}),
			);
			if (first !== undefined) socket.write(first);
		});
	} finally {
		socket.destroy();
	}
}

/** The first message of a TLS client. */
async function clientHello(servername: string): Promise<Buffer> {
	return await new Promise((resolve) => {
		const recorder = new Duplex({
			read() {},
			write(message: Buffer, _encoding, done) {
				resolve(message);
				done();
			},
		});
		connectTls({ socket: recorder, servername }).on("error", () => {
			// Nobody answers it: only what it says is wanted.
		});
	});
}

/** Upgrades an HTTP connection and says something on it. */
async function upgrade({
	address,
	port,
	headers = {},
	protocol,
	say,
}: HttpAsk & {
	readonly protocol: string;
	readonly say: string;
}): Promise<{ readonly status: number; readonly text: string }> {
	const request = httpRequest({
		host: address,
		port,
		headers: { ...headers, connection: "upgrade", upgrade: protocol },
		agent: false,
		signal: AbortSignal.timeout(PATIENCE_MS),
	});
	request.end();
	const [response, socket] = await Promise.race([
		once(request, "upgrade") as Promise<[IncomingMessage, Socket]>,
		once(request, "response") as Promise<[IncomingMessage]>,
	]);
	if (socket === undefined) {
		response.resume();
		return { status: response.statusCode ?? 0, text: "" };
	}
	try {
		socket.write(say);
		const [data] = (await once(socket, "data")) as [Buffer];
		return { status: response.statusCode ?? 0, text: data.toString() };
	} finally {
		socket.destroy();
	}
}

/** Answers as soon as the namespace is there. */
async function ready(_: undefined): Promise<void> {}

/** What a test may ask of a namespace. */
export const programs = {
	ready,
	serveHttp,
	serveTcp,
	serveGrpc,
	ask,
	askHttp2,
	askGrpc,
	talk,
	upgrade,
};

/** The programs by name. */
export type Programs = typeof programs;
