import { once } from "node:events";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import {
	Client,
	type ClientDuplexStream,
	credentials,
	Metadata,
} from "@grpc/grpc-js";
import { expect } from "chai";
import { PrivateBytes } from "../../src/lib/private-bytes.ts";
import { WritableSignal } from "../../src/lib/signal.ts";
import type { TlsMaterial } from "../../src/lib/tls-material.ts";
import type { GrpcMethod } from "../../src/net/grpc-call.ts";
import type { GrpcLimits } from "../../src/net/grpc-limits.ts";
import { type GrpcServer, serveGrpc } from "../../src/net/grpc-server.ts";
import { request } from "../../src/net/http-client.ts";
import type { HttpLimits } from "../../src/net/http-limits.ts";
import { type HttpServer, serveHttp } from "../../src/net/http-server.ts";
import { type Logger, silentLogger } from "../../src/observability/logger.ts";
import { generateKey } from "../../src/pki/generate-key.ts";
import { printPrivateKey } from "../../src/pki/private-key.ts";
import { testAuthority } from "../testkit/authority.ts";
import { failureOf } from "../testkit/failure-of.ts";

type Material = WritableSignal<TlsMaterial | undefined>;

const authority = testAuthority("first");
const method = "/test.Service/Method";
const hourMs = 3_600_000;

const echo: GrpcMethod = async function* (requests) {
	for await (const message of requests) yield [message];
};

interface Line {
	readonly level: "warn" | "error";
	readonly message: string;
	readonly text: string;
}

/** Keeps what is logged. */
function recorder(): { readonly log: Logger; readonly lines: Line[] } {
	const lines: Line[] = [];
	const note =
		(level: Line["level"]): Logger["warn"] =>
		(message, fields) =>
			void lines.push({ level, message, text: JSON.stringify(fields) });
	return {
		lines,
		log: { ...silentLogger, warn: note("warn"), error: note("error") },
	};
}

describe("TLS", () => {
	const owned: AsyncDisposable[] = [];
	const cleanups: (() => void)[] = [];

	afterEach(async () => {
		for (const cleanup of cleanups.splice(0)) cleanup();
		for (const one of owned.splice(0)) await one[Symbol.asyncDispose]();
	});

	async function https(
		tls: Material,
		limits: Partial<HttpLimits> = {},
		log: Logger = silentLogger,
	): Promise<{
		readonly url: string;
		readonly port: number;
		readonly server: HttpServer;
	}> {
		const server = await serveHttp({
			listen: { host: "127.0.0.1", port: 0 },
			handler: async ({ path }) => ({ status: 200, body: `at ${path}` }),
			tls,
			limits: { stopMs: 200, ...limits },
			log,
		});
		owned.push(server);
		if ("path" in server.address) throw new Error("It is a port.");
		const { port } = server.address;
		return { url: `https://127.0.0.1:${port}`, port, server };
	}

	async function grpc(
		tls: Material,
		limits: Partial<GrpcLimits> = {},
		log: Logger = silentLogger,
	): Promise<{ readonly port: number; readonly server: GrpcServer }> {
		const server = await serveGrpc({
			listen: { host: "127.0.0.1", port: 0 },
			methods: new Map([[method, echo]]),
			tls,
			limits: { stopMs: 200, ...limits },
			log,
		});
		owned.push(server);
		if ("path" in server.address) throw new Error("It is a port.");
		return { port: server.address.port, server };
	}

	function call(
		port: number,
		ca = authority.ca,
	): ClientDuplexStream<Buffer, Buffer> {
		const client = new Client(
			`localhost:${port}`,
			credentials.createSsl(Buffer.from(ca)),
			{ "grpc.use_local_subchannel_pool": 1 },
		);
		cleanups.push(() => client.close());
		const same = (bytes: Buffer): Buffer => bytes;
		const stream = client.makeBidiStreamRequest(
			method,
			same,
			same,
			new Metadata(),
		);
		stream.on("error", () => {});
		return stream;
	}

	async function say(
		stream: ClientDuplexStream<Buffer, Buffer>,
		text: string,
	): Promise<string> {
		const answered = once(stream, "data");
		stream.write(Buffer.from(text));
		const [answer] = await answered;
		return String(answer);
	}

	async function secure(port: number, ca: string): Promise<TLSSocket> {
		const socket = connectTls({ host: "127.0.0.1", port, ca });
		cleanups.push(() => socket.destroy());
		await once(socket, "secureConnect");
		return socket;
	}

	async function get(url: string, ca: string): Promise<string> {
		const answer = await request({
			server: { url, tls: { ca } },
			method: "GET",
			path: "/x",
		});
		return await answer.text();
	}

	/** A TCP connection; resolves when the server has closed it. */
	async function raw(
		port: number,
		say: string,
	): Promise<{ readonly socket: Socket; readonly closed: Promise<string> }> {
		const socket = connectTcp({ host: "127.0.0.1", port });
		cleanups.push(() => socket.destroy());
		let got = "";
		socket.on("data", (bytes) => {
			got += bytes.toString("latin1");
		});
		socket.on("error", () => {});
		const closed = new Promise<string>((resolve) =>
			socket.once("close", () => resolve(got)),
		);
		await once(socket, "connect");
		if (say !== "") socket.write(say);
		return { socket, closed };
	}

	const material = (): Material =>
		new WritableSignal<TlsMaterial | undefined>(authority.issue());

	it("carries HTTP to a client that trusts the authority", async () => {
		const { url } = await https(material());
		expect(await get(url, authority.ca)).to.equal("at /x");
	});

	it("carries gRPC streams", async () => {
		const { port } = await grpc(material());
		expect(await say(call(port), "hello")).to.equal("hello");
	});

	it("carries a message of 5 MB both ways", async () => {
		const { port } = await grpc(material());
		const client = new Client(
			`localhost:${port}`,
			credentials.createSsl(Buffer.from(authority.ca)),
			{
				"grpc.max_receive_message_length": -1,
			},
		);
		cleanups.push(() => client.close());
		const same = (bytes: Buffer): Buffer => bytes;
		const stream = client.makeBidiStreamRequest(method, same, same);
		const large = Buffer.alloc(5_000_000, "lateen");
		const answered = once(stream, "data");
		stream.write(large);
		const [answer] = await answered;
		expect(large.equals(answer)).to.equal(true);
		stream.cancel();
		stream.on("error", () => {});
	});

	const untrusted = [
		{
			name: "expired",
			served: () =>
				authority.issue({
					notBeforeMs: Date.now() - 2 * hourMs,
					notAfterMs: Date.now() - hourMs,
				}),
			says: "expired",
		},
		{
			name: "not good yet",
			served: () =>
				authority.issue({
					notBeforeMs: Date.now() + hourMs,
					notAfterMs: Date.now() + 2 * hourMs,
				}),
			says: "not yet valid",
		},
		{
			name: "for another name",
			served: () =>
				authority.issue({ dns: ["else.example"], ips: ["10.0.0.1"] }),
			says: "127.0.0.1",
		},
		{
			name: "of an authority that is not trusted",
			served: () => testAuthority("stranger").issue(),
			says: "unable to verify",
		},
	];
	for (const { name, served, says } of untrusted) {
		it(`is refused by our client when the certificate is ${name}`, async () => {
			const { url } = await https(
				new WritableSignal<TlsMaterial | undefined>(served()),
			);
			const failure = await failureOf(get(url, authority.ca));
			expect(failure).to.have.property("code", "NET_NOT_TRUSTED");
			expect(failure.message).to.contain(says);
		});
	}

	it("is refused by a gRPC client when the certificate is expired", async () => {
		const old = authority.issue({
			notBeforeMs: Date.now() - 2 * hourMs,
			notAfterMs: Date.now() - hourMs,
		});
		const { port } = await grpc(
			new WritableSignal<TlsMaterial | undefined>(old),
		);
		const stream = call(port);
		const [status] = (await once(stream, "status").catch((error: unknown) => [
			error,
		])) as [{ code: number; details: string }];
		expect(status.code).to.equal(14);
		expect(status.details).to.contain("expired");
	});

	describe("when the certificate changes", () => {
		it("goes on with an open stream, and shows the new one to the next connection", async () => {
			const tls = material();
			const { port } = await grpc(tls);
			const open = call(port);
			expect(await say(open, "before")).to.equal("before");
			const second = testAuthority("second");
			tls.set(second.issue());
			expect(await say(open, "after")).to.equal("after");
			expect(await say(call(port, second.ca), "new")).to.equal("new");
			expect(await say(open, "still")).to.equal("still");
		});

		it("goes on with a connection that is kept alive", async () => {
			const tls = material();
			const { port, url } = await https(tls);
			const kept = await secure(port, authority.ca);
			const ask = async (): Promise<string> => {
				const answered = once(kept, "data");
				kept.write("GET /kept HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
				return String((await answered)[0]);
			};
			expect(await ask()).to.match(/^HTTP\/1.1 200/);
			const second = testAuthority("second");
			tls.set(second.issue());
			expect(await get(url, second.ca)).to.equal("at /x");
			expect(await ask()).to.match(/^HTTP\/1.1 200/);
		});

		const unusable: readonly { name: string; bad: () => TlsMaterial }[] = [
			{
				name: "no PEM",
				bad: () => ({ cert: "hello", key: authority.issue().key }),
			},
			{
				name: "a key of another certificate",
				bad: () => ({
					cert: authority.issue().cert,
					key: printPrivateKey(generateKey().privateKey),
				}),
			},
			{
				name: "no key",
				bad: () => ({
					cert: authority.issue().cert,
					key: new PrivateBytes(""),
				}),
			},
			{
				name: "a broken key",
				bad: () => ({
					cert: authority.issue().cert,
					key: new PrivateBytes(
						"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
					),
				}),
			},
		];
		for (const { name, bad } of unusable) {
			it(`keeps the old one when the new one has ${name}, and logs it without the key`, async () => {
				const tls = material();
				const { log, lines } = recorder();
				const { url } = await https(tls, {}, log);
				tls.set(bad());
				expect(await get(url, authority.ca)).to.equal("at /x");
				expect(lines).to.have.length(1);
				expect(lines[0]?.message).to.contain("the one before it stays");
				expect(lines[0]?.text).not.to.contain("hunter2");
				const next = testAuthority("next");
				tls.set(next.issue());
				expect(await get(url, next.ca)).to.equal("at /x");
			});
		}

		it("begins to serve when the first certificate comes", async () => {
			const tls: Material = new WritableSignal<TlsMaterial | undefined>(
				undefined,
			);
			const { url } = await https(tls);
			expect(await failureOf(get(url, authority.ca))).to.have.property(
				"code",
				"NET_REQUEST_FAILED",
			);
			tls.set(authority.issue());
			expect(await get(url, authority.ca)).to.equal("at /x");
		});

		it("is told nothing more once the server has stopped", async () => {
			const tls = material();
			const { log, lines } = recorder();
			const { server } = await https(tls, {}, log);
			await server[Symbol.asyncDispose]();
			tls.set({ cert: "hello", key: new PrivateBytes("") });
			expect(lines).to.deep.equal([]);
		});
	});

	const servers = [
		{ name: "serveHttp", start: https },
		{ name: "serveGrpc", start: grpc },
	] as const;
	for (const { name, start } of servers) {
		describe(`of ${name}, with clients that are none`, () => {
			const garbage = [
				{ name: "plain HTTP", say: "GET / HTTP/1.1\r\nhost: x\r\n\r\n" },
				{ name: "plain HTTP/2", say: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
				{ name: "noise", say: "\x16\x03\x01\xff\xffnoise".repeat(50) },
			];
			for (const { name: what, say } of garbage) {
				it(`closes a connection that brings ${what}, and serves the next`, async () => {
					const { log, lines } = recorder();
					const { port } = await start(material(), {}, log);
					const answer = await (await raw(port, say)).closed;
					expect(answer).not.to.contain("HTTP/1.1");
					expect(lines.map(({ message }) => message)).to.deep.equal([
						"A TLS handshake failed",
					]);
					expect(lines[0]?.text).to.match(/"client":"127\.0\.0\.1:\d+"/);
					(await secure(port, authority.ca)).destroy();
				});
			}

			it("writes few lines for many failed handshakes", async () => {
				const { log, lines } = recorder();
				const { port } = await start(material(), {}, log);
				for (let round = 0; round < 20; round += 1) {
					await (await raw(port, "GET / HTTP/1.1\r\n\r\n")).closed;
				}
				expect(lines).to.have.length(1);
			});

			it("ends a handshake that takes too long, and serves others meanwhile", async () => {
				const { port } = await start(material(), { handshakeMs: 300 });
				const silent = await raw(port, "");
				// The beginning of a handshake that announces more than ever comes.
				const slow = await raw(port, "\x16\x03\x01\x02\x00\x01");
				(await secure(port, authority.ca)).destroy();
				await silent.closed;
				await slow.closed;
			});

			it("does not wait for unfinished handshakes when it stops", async () => {
				const { port, server } = await start(material(), {
					stopMs: 60_000,
					handshakeMs: 60_000,
				});
				const silent = await raw(port, "");
				// The server has taken this connection after the silent one.
				(await secure(port, authority.ca)).destroy();
				await server[Symbol.asyncDispose]();
				await silent.closed;
			});

			it("does not wait for connections that never sent a request when it stops", async () => {
				const { port, server } = await start(material(), { stopMs: 60_000 });
				const socket = connectTls({
					port,
					host: "127.0.0.1",
					ca: authority.ca,
					servername: "localhost",
					...(name === "serveGrpc" && { ALPNProtocols: ["h2"] }),
				});
				socket.on("error", () => {});
				cleanups.push(() => socket.destroy());
				await once(socket, "secureConnect");
				await server[Symbol.asyncDispose]();
			});

			it("refuses TLS 1.1", async () => {
				const { port } = await start(material());
				const socket = connectTls({
					host: "127.0.0.1",
					port,
					ca: authority.ca,
					minVersion: "TLSv1.1",
					maxVersion: "TLSv1.1",
					ciphers: "ALL:@SECLEVEL=0",
				});
				cleanups.push(() => socket.destroy());
				const [error] = await once(socket, "error");
				expect(String(error)).to.match(/alert protocol version/);
			});
		});
	}

	it("closes a gRPC connection that does not agree on HTTP/2", async () => {
		const { port } = await grpc(material());
		const none = await secure(port, authority.ca);
		await once(none.resume(), "close");
		const other = connectTls({
			host: "127.0.0.1",
			port,
			ca: authority.ca,
			ALPNProtocols: ["http/1.1"],
		});
		cleanups.push(() => other.destroy());
		const [error] = await once(other, "error");
		expect(String(error)).to.match(/no.application.protocol/i);
	});
});
