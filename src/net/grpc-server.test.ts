import { once } from "node:events";
import {
	type ClientHttp2Session,
	type ClientHttp2Stream,
	connect,
	constants,
} from "node:http2";
import type { Socket } from "node:net";
import {
	Client,
	type ClientDuplexStream,
	credentials,
	Metadata,
	type StatusObject,
} from "@grpc/grpc-js";
import { expect } from "chai";
import { eventually } from "../../test/testkit/eventually.ts";
import {
	callHeaders,
	closed,
	connectRaw,
	endHeaders,
	frameType,
	headerBlock,
	preface,
	rawFrame,
} from "../../test/testkit/raw-http2.ts";
import { GrpcError, grpcStatus } from "../lib/grpc-error.ts";
import type { Peer } from "../lib/handler.ts";
import { type Logger, silentLogger } from "../observability/logger.ts";
import { type Address, printAddress } from "./address.ts";
import type { GrpcMethod } from "./grpc-call.ts";
import type { GrpcLimits } from "./grpc-limits.ts";
import { type GrpcServer, serveGrpc } from "./grpc-server.ts";

const path = "/test.Service/Method";

/** How the call ends; unlike `once`, it takes a status that is no success for a result too. */
function statusOf(
	stream: ClientDuplexStream<Buffer, Buffer>,
): Promise<StatusObject> {
	stream.on("error", () => {});
	return new Promise((resolve) => stream.once("status", resolve));
}

const echo: GrpcMethod = async function* (requests) {
	for await (const request of requests) {
		yield [request.subarray(0, 1), request.subarray(1)];
	}
};

interface Outcome {
	readonly responses: readonly Buffer[];
	readonly code: number;
	readonly details: string;
}

/** Acknowledges a ping; RFC 9113, section 6.7. */
const acknowledged = 0x1;

/** Keeps the whole process from doing anything else. */
function beBusy(forMs: number): void {
	const endMs = performance.now() + forMs;
	while (performance.now() < endMs);
}

/** What the next ping on a connection carries; frames come whole on loopback. */
async function nextPing(socket: Socket): Promise<Buffer> {
	for (;;) {
		const [bytes] = (await once(socket, "data")) as [Buffer];
		for (let at = 0; at < bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
			const isAnswer = (bytes.readUInt8(at + 4) & acknowledged) !== 0;
			if (bytes.readUInt8(at + 3) === frameType.ping && !isAnswer) {
				return bytes.subarray(at + 9, at + 17);
			}
		}
	}
}

describe("serveGrpc", () => {
	const servers: GrpcServer[] = [];
	const cleanups: (() => void)[] = [];

	afterEach(async () => {
		for (const cleanup of cleanups.splice(0)) cleanup();
		for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
	});

	async function serve(
		method: GrpcMethod,
		limits: Partial<GrpcLimits> = {},
		log: Logger = silentLogger,
	): Promise<GrpcServer> {
		const server = await serveGrpc({
			listen: { host: "127.0.0.1", port: 0 },
			methods: new Map([[path, method]]),
			limits: { stopMs: 200, ...limits },
			log,
		});
		servers.push(server);
		return server;
	}

	function grpcClient(address: Address): Client {
		const client = new Client(
			printAddress(address),
			credentials.createInsecure(),
			{
				"grpc.max_receive_message_length": -1,
				"grpc.max_send_message_length": -1,
			},
		);
		cleanups.push(() => client.close());
		return client;
	}

	function openStream(
		client: Client,
		calledPath = path,
		metadata = new Metadata(),
	) {
		const same = (bytes: Buffer): Buffer => bytes;
		return client.makeBidiStreamRequest(calledPath, same, same, metadata);
	}

	/** Sends the requests, half-closes, and waits for the end. */
	function callOnce(
		server: GrpcServer,
		requests: readonly Uint8Array[] = [],
		calledPath = path,
		metadata = new Metadata(),
	): Promise<Outcome> {
		const stream = openStream(grpcClient(server.address), calledPath, metadata);
		const responses: Buffer[] = [];
		return new Promise((resolve) => {
			stream.on("data", (bytes: Buffer) => responses.push(bytes));
			stream.on("error", () => {});
			stream.on("status", ({ code, details }) =>
				resolve({ responses, code, details }),
			);
			for (const request of requests) stream.write(Buffer.from(request));
			stream.end();
		});
	}

	function http2Client(server: GrpcServer): ClientHttp2Session {
		if ("path" in server.address) throw new Error("It is a port.");
		const session = connect(`http://${printAddress(server.address)}`);
		session.on("error", () => {});
		cleanups.push(() => session.destroy());
		return session;
	}

	function http2Call(session: ClientHttp2Session): ClientHttp2Stream {
		const stream = session.request(
			{
				":method": "POST",
				":path": path,
				"content-type": "application/grpc",
				te: "trailers",
			},
			{ endStream: false },
		);
		stream.on("error", () => {});
		return stream;
	}

	async function expectToServe(server: GrpcServer): Promise<void> {
		const outcome = await callOnce(server, [Buffer.from("still there?")]);
		expect(outcome.code).to.equal(grpcStatus.ok);
	}

	describe("with @grpc/grpc-js as client", () => {
		it("answers each request on one stream, small, empty and of 5 MB", async () => {
			const server = await serve(echo);
			const large = Buffer.alloc(5_000_000, "lateen");
			const outcome = await callOnce(server, [
				Buffer.from("small"),
				Buffer.alloc(0),
				large,
			]);
			expect(outcome.code).to.equal(grpcStatus.ok);
			expect(outcome.responses.map((r) => r.length)).to.deep.equal([
				5, 0, 5_000_000,
			]);
			expect(outcome.responses[2]?.equals(large)).to.equal(true);
		});

		it("lets requests and responses take turns on an open stream", async () => {
			const server = await serve(echo);
			const stream = openStream(grpcClient(server.address));
			for (const text of ["one", "two", "three"]) {
				stream.write(Buffer.from(text));
				const [answer] = await once(stream, "data");
				expect(String(answer)).to.equal(text);
			}
			stream.end();
			const status = await statusOf(stream);
			expect(status).to.have.property("code", grpcStatus.ok);
		});

		it("sends the status and message of a GrpcError", async () => {
			const server = await serve(async function* () {
				yield [Buffer.from("first")];
				throw new GrpcError(grpcStatus.permissionDenied, "100 % nöt allowed");
			});
			const outcome = await callOnce(server);
			expect(outcome.responses).to.have.length(1);
			expect(outcome.code).to.equal(grpcStatus.permissionDenied);
			expect(outcome.details).to.equal("100 % nöt allowed");
		});

		it("hides the cause of an unknown error from the client and logs it", async () => {
			const logged: unknown[] = [];
			const bug = new Error("secret");
			const server = await serve(
				// biome-ignore lint/correctness/useYield: it fails before it could.
				async function* () {
					throw bug;
				},
				{},
				{
					...silentLogger,
					error: (_, fields) => logged.push(fields?.["cause"]),
				},
			);
			const outcome = await callOnce(server);
			expect(outcome.code).to.equal(grpcStatus.internal);
			expect(outcome.details).to.equal("internal error");
			expect(logged).to.deep.equal([bug]);
		});

		it("answers a method that it does not have with UNIMPLEMENTED", async () => {
			const server = await serve(echo);
			const outcome = await callOnce(server, [], "/test.Service/Other");
			expect(outcome.code).to.equal(grpcStatus.unimplemented);
			expect(outcome.details).to.contain("/test.Service/Other");
		});

		it("hands the bearer token and the address of the client to the method", async () => {
			let seen: Peer | undefined;
			const server = await serve(async function* (_, peer) {
				seen = peer;
				yield [];
			});
			const metadata = new Metadata();
			metadata.set("authorization", "Bearer abc.def");
			await callOnce(server, [], path, metadata);
			expect(seen?.bearerToken).to.equal("abc.def");
			expect(seen?.address).to.match(/^127\.0\.0\.1:\d+$/);
		});

		it("aborts the method's signal and ends its requests when the client cancels", async () => {
			const ended = Promise.withResolvers<boolean>();
			const server = await serve(async function* (requests, _, signal) {
				const aborted = once(signal, "abort");
				for await (const request of requests) yield [request];
				await aborted;
				ended.resolve(true);
			});
			const stream = openStream(grpcClient(server.address));
			stream.on("error", () => {});
			stream.write(Buffer.from("one"));
			await once(stream, "data");
			stream.cancel();
			expect(await ended.promise).to.equal(true);
		});

		it("ends the stream when the method returns, though the client has more to say", async () => {
			const server = await serve(async function* () {
				yield [Buffer.from("that is all")];
			});
			const stream = openStream(grpcClient(server.address));
			stream.write(Buffer.from("one"));
			stream.on("data", () => {});
			const status = await statusOf(stream);
			expect(status).to.have.property("code", grpcStatus.ok);
		});

		it("refuses a request over the limit with RESOURCE_EXHAUSTED", async () => {
			const server = await serve(echo, { maxRequestBytes: 1000 });
			const outcome = await callOnce(server, [Buffer.alloc(1001)]);
			expect(outcome.code).to.equal(grpcStatus.resourceExhausted);
			expect(outcome.details).to.contain("1001");
		});

		it("refuses compressed requests with UNIMPLEMENTED", async () => {
			const server = await serve(echo);
			const metadata = new Metadata();
			metadata.set("grpc-internal-encoding-request", "gzip");
			const client = new Client(
				printAddress(server.address),
				credentials.createInsecure(),
				{ "grpc.default_compression_algorithm": 2 },
			);
			cleanups.push(() => client.close());
			const stream = openStream(client);
			stream.on("error", () => {});
			stream.on("data", () => {});
			stream.write(Buffer.alloc(1000));
			stream.end();
			const status = await statusOf(stream);
			expect(status).to.have.property("code", grpcStatus.unimplemented);
			expect(status.details).to.contain("ompress");
		});

		it("ends open streams with UNAVAILABLE when it stops", async () => {
			const server = await serve(echo);
			const stream = openStream(grpcClient(server.address));
			stream.on("error", () => {});
			const status = statusOf(stream);
			stream.write(Buffer.from("one"));
			await once(stream, "data");
			await server[Symbol.asyncDispose]();
			expect(await status).to.have.property("code", grpcStatus.unavailable);
			expect(server.open()).to.deep.equal({ connections: 0, streams: 0 });
		});

		it("does not wait for ever for a method that will not stop", async () => {
			const server = await serve(async function* () {
				yield [Buffer.from("one")];
				await new Promise(() => {});
			});
			const stream = openStream(grpcClient(server.address));
			stream.on("error", () => {});
			await once(stream, "data");
			await server[Symbol.asyncDispose]();
			expect(server.open().connections).to.equal(0);
		});
	});

	describe("back-pressure", () => {
		it("asks the method for the next response only when the client took the last", async () => {
			let asked = 0;
			const ended = Promise.withResolvers<void>();
			const warnings: string[] = [];
			const part = Buffer.alloc(100_000);
			const server = await serve(
				async function* () {
					try {
						for (; asked < 10_000; asked += 1) yield [part, part];
					} finally {
						ended.resolve();
					}
				},
				{ blockedWriteMs: 100 },
				{ ...silentLogger, warn: (message) => warnings.push(message) },
			);
			const stream = http2Call(http2Client(server));
			await once(stream, "response");
			// Nothing is read, so the window of 64 KiB stays full and the write is given up.
			await ended.promise;
			expect(asked).to.be.lessThan(3);
			expect(warnings).to.deep.equal([
				"Closed a gRPC stream whose client does not read",
			]);
			await expectToServe(await serve(echo));
		});

		it("reads from the client only what the method consumes", async () => {
			const release = Promise.withResolvers<void>();
			let consumed = 0;
			const server = await serve(async function* (requests) {
				await release.promise;
				for await (const request of requests) consumed += request.length;
				yield [];
			});
			const session = http2Client(server);
			const stream = http2Call(session);
			stream.resume();
			const message = Buffer.alloc(64 * 1024 + 5);
			message.writeUInt32BE(64 * 1024, 1);
			let taken = 0;
			for (let i = 0; i < 64; i += 1) {
				stream.write(message, () => {
					taken += message.length;
				});
			}
			stream.end();
			await once(stream, "response");
			// When the server has answered two pings, it has seen all that it lets the client send.
			for (let i = 0; i < 2; i += 1) {
				await new Promise((resolve) => session.ping(resolve));
			}
			expect(taken).to.be.lessThan(1024 * 1024);
			release.resolve();
			await once(stream, "end");
			expect(consumed).to.equal(64 * 64 * 1024);
		});
	});

	describe("with a hostile client", () => {
		it("closes a connection that sends garbage", async () => {
			const server = await serve(echo);
			const socket = await connectRaw(server.address);
			socket.write(Buffer.alloc(100_000, 0xfe));
			await closed(socket);
			await expectToServe(server);
		});

		it("closes a connection that speaks HTTP/1", async () => {
			const server = await serve(echo);
			const socket = await connectRaw(server.address);
			socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
			await closed(socket);
			await expectToServe(server);
		});

		it("closes a connection that says nothing", async () => {
			const server = await serve(echo, { firstStreamMs: 50 });
			await closed(await connectRaw(server.address));
		});

		it("closes a connection that never finishes its headers", async () => {
			const server = await serve(echo, { firstStreamMs: 50 });
			const socket = await connectRaw(server.address);
			socket.write(preface);
			socket.write(
				rawFrame(frameType.headers, 0, 1, callHeaders(path).subarray(0, 20)),
			);
			await closed(socket);
			await expectToServe(server);
		});

		it("closes a connection without streams after its idle time", async () => {
			const server = await serve(echo, { idleMs: 50 });
			const session = http2Client(server);
			const stream = http2Call(session);
			stream.resume();
			stream.end();
			await once(session, "close");
		});

		it("closes a connection that does not answer pings", async () => {
			const server = await serve(echo, {
				pingIntervalMs: 20,
				pingTimeoutMs: 50,
			});
			const socket = await connectRaw(server.address);
			socket.write(preface);
			socket.write(
				rawFrame(frameType.headers, endHeaders, 1, callHeaders(path)),
			);
			await closed(socket);
			expect(server.open().connections).to.equal(0);
		});

		it("keeps a connection whose first stream waits to be read because the process was busy for too long", async () => {
			const server = await serve(echo, { firstStreamMs: 50 });
			const socket = await connectRaw(server.address);
			cleanups.push(() => socket.destroy());
			await eventually(() =>
				expect(server.open().connections, "connections").to.equal(1),
			);
			socket.write(preface);
			socket.write(
				rawFrame(frameType.headers, endHeaders, 1, callHeaders(path)),
			);
			beBusy(100);
			await eventually(() =>
				expect(server.open()).to.deep.equal({ connections: 1, streams: 1 }),
			);
		});

		it("keeps a connection whose answer to a ping waits to be read because the process was busy for too long", async () => {
			const server = await serve(echo, {
				pingIntervalMs: 20,
				pingTimeoutMs: 50,
			});
			const socket = await connectRaw(server.address);
			cleanups.push(() => socket.destroy());
			socket.write(preface);
			socket.write(
				rawFrame(frameType.headers, endHeaders, 1, callHeaders(path)),
			);
			for (let pings = 0; pings < 3; pings += 1) {
				const ping = await nextPing(socket);
				socket.write(rawFrame(frameType.ping, acknowledged, 0, ping));
				beBusy(100);
			}
			expect(server.open()).to.deep.equal({ connections: 1, streams: 1 });
		});

		it("keeps a connection that answers pings", async () => {
			const server = await serve(echo, {
				pingIntervalMs: 5,
				pingTimeoutMs: 1_000,
				firstStreamMs: 1_000,
			});
			const session = http2Client(server);
			const stream = http2Call(session);
			stream.resume();
			for (let i = 0; i < 10; i += 1) await once(session, "ping");
			expect(session.closed).to.equal(false);
			expect(server.open()).to.deep.equal({ connections: 1, streams: 1 });
		});

		it("ends a stream's method when the client resets it", async () => {
			const started = Promise.withResolvers<void>();
			const ended = Promise.withResolvers<boolean>();
			const server = await serve(async function* (requests, _, signal) {
				started.resolve();
				for await (const request of requests) yield [request];
				ended.resolve(signal.aborted);
			});
			const socket = await connectRaw(server.address);
			cleanups.push(() => socket.destroy());
			socket.write(preface);
			socket.write(
				rawFrame(frameType.headers, endHeaders, 1, callHeaders(path)),
			);
			await started.promise;
			const code = Buffer.alloc(4);
			code.writeUInt32BE(constants.NGHTTP2_CANCEL);
			socket.write(rawFrame(frameType.resetStream, 0, 1, code));
			expect(await ended.promise).to.equal(true);
		});

		it("closes a connection that opens and resets streams rapidly", async () => {
			const server = await serve(echo);
			const socket = await connectRaw(server.address);
			socket.write(preface);
			const code = Buffer.alloc(4);
			code.writeUInt32BE(constants.NGHTTP2_CANCEL);
			const burst: Buffer[] = [];
			for (let id = 1; id < 20_000; id += 2) {
				burst.push(
					rawFrame(frameType.headers, endHeaders, id, callHeaders(path)),
					rawFrame(frameType.resetStream, 0, id, code),
				);
			}
			socket.write(Buffer.concat(burst));
			await closed(socket);
			await expectToServe(server);
		});

		it("refuses the streams of one connection that are too many, and serves others", async () => {
			let running = 0;
			let most = 0;
			const server = await serve(
				async function* (requests) {
					running += 1;
					most = Math.max(most, running);
					try {
						for await (const request of requests) yield [request];
					} finally {
						running -= 1;
					}
				},
				{ maxStreamsPerConnection: 100 },
			);
			const socket = await connectRaw(server.address);
			cleanups.push(() => socket.destroy());
			socket.resume();
			socket.write(preface);
			const opens: Buffer[] = [];
			for (let id = 1; id < 2_000; id += 2) {
				opens.push(
					rawFrame(frameType.headers, endHeaders, id, callHeaders(path)),
				);
			}
			socket.write(Buffer.concat(opens));
			await expectToServe(server);
			expect(most).to.be.within(1, 101);
			expect(server.open().streams).to.be.at.most(101);
		});

		it("ends streams over the limit of all connections with RESOURCE_EXHAUSTED", async () => {
			const server = await serve(echo, { maxStreams: 1 });
			const first = openStream(grpcClient(server.address));
			first.on("error", () => {});
			first.write(Buffer.from("one"));
			await once(first, "data");
			const outcome = await callOnce(server);
			expect(outcome.code).to.equal(grpcStatus.resourceExhausted);
			first.end();
			await statusOf(first);
			await expectToServe(server);
		});

		it("closes connections over the limit", async () => {
			const server = await serve(echo, { maxConnections: 1 });
			const session = http2Client(server);
			await once(session, "remoteSettings");
			await closed(await connectRaw(server.address));
			expect(session.closed).to.equal(false);
		});

		it("does not let a client fill the memory with unfinished messages", async () => {
			const server = await serve(echo, {
				maxRequestBytes: 1_000_000,
				maxBufferedRequestBytes: 100_000_000,
			});
			const session = http2Client(server);
			const statuses: Promise<unknown>[] = [];
			for (let i = 0; i < 4; i += 1) {
				const stream = http2Call(session);
				stream.resume();
				statuses.push(
					once(stream, "trailers").then(
						([trailers]) => trailers["grpc-status"],
					),
				);
				const unfinished = Buffer.alloc(900_000);
				unfinished.writeUInt32BE(950_000, 1);
				stream.write(unfinished);
			}
			expect(await Promise.race(statuses)).to.equal(
				String(grpcStatus.resourceExhausted),
			);
			await expectToServe(server);
		});

		it("refuses headers over the limit", async () => {
			let calls = 0;
			const server = await serve(async function* () {
				calls += 1;
				yield [];
			});
			const stream = http2Client(server).request({
				":method": "POST",
				":path": path,
				"content-type": "application/grpc",
				"x-large": "x".repeat(40_000),
			});
			stream.on("error", () => {});
			const [headers] = await once(stream, "response");
			expect(headers["grpc-status"]).to.equal(
				String(grpcStatus.resourceExhausted),
			);
			expect(calls).to.equal(0);
			expect((await callOnce(server)).code).to.equal(grpcStatus.ok);
		});

		it("closes a connection whose headers never end", async () => {
			const server = await serve(echo);
			const socket = await connectRaw(server.address);
			socket.write(preface);
			socket.write(rawFrame(frameType.headers, 0, 1, callHeaders(path)));
			const more = rawFrame(
				frameType.continuation,
				0,
				1,
				headerBlock([["x", "y".repeat(1000)]]),
			);
			for (let i = 0; i < 1000; i += 1) socket.write(more);
			await closed(socket);
			await expectToServe(server);
		});
	});
});
