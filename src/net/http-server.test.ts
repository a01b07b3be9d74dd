import { once } from "node:events";
import { mkdtemp, rename, rm, stat, writeFile } from "node:fs/promises";
import { createConnection, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect } from "chai";
import { failureOf } from "../../test/testkit/failure-of.ts";
import type { HttpHandler } from "../lib/handler.ts";
import { type Logger, silentLogger } from "../observability/logger.ts";
import { request } from "./http-client.ts";
import { HttpClientError } from "./http-client-error.ts";
import type { HttpLimits } from "./http-limits.ts";
import { type HttpServer, serveHttp } from "./http-server.ts";
import { ListenError } from "./listen-error.ts";

const echo: HttpHandler = async ({ method, path, query, body }) => ({
	status: 201,
	body: `${method} ${path} ${query.get("x") ?? "-"} ${Buffer.from(body)}`,
});

describe("serveHttp", () => {
	let folder: string;
	const servers: HttpServer[] = [];

	beforeEach(async () => {
		folder = await mkdtemp(join(tmpdir(), "lateen-net-"));
	});

	afterEach(async () => {
		for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
		await rm(folder, { recursive: true });
	});

	async function serve(
		handler: HttpHandler,
		limits: Partial<HttpLimits> = {},
		log: Logger = silentLogger,
	): Promise<{ readonly url: string; readonly port: number }> {
		const listen = { host: "127.0.0.1", port: 0 };
		const server = await serveHttp({ listen, handler, limits, log });
		servers.push(server);
		if ("path" in server.address) throw new Error("It is a port.");
		const { port } = server.address;
		return { url: `http://127.0.0.1:${port}`, port };
	}

	async function serveSocket(handler: HttpHandler): Promise<string> {
		const path = join(folder, "admin.sock");
		const listen = { path };
		servers.push(await serveHttp({ listen, handler, log: silentLogger }));
		return path;
	}

	it("hands method, path, query and body to the handler and its answer to the client", async () => {
		const { url } = await serve(echo);
		const answer = await request({
			server: { url },
			method: "POST",
			path: "/a%20b?x=1",
			body: "hello",
		});
		expect(answer.status).to.equal(201);
		expect(await answer.text()).to.equal("POST /a b 1 hello");
	});

	it("answers over a Unix socket that only its owner may use", async () => {
		const path = await serveSocket(echo);
		const answer = await request({
			server: { path },
			method: "GET",
			path: "/",
		});
		expect(await answer.text()).to.equal("GET / - ");
		expect((await stat(path)).mode & 0o777).to.equal(0o600);
	});

	it("takes over the socket file of a server that died", async () => {
		const path = join(folder, "admin.sock");
		const dead = createServer().listen(path);
		await new Promise((resolve) => dead.once("listening", resolve));
		// A closed server removes its file; one that is put in its place stays, and nobody listens on it.
		await rename(path, `${path}.kept`);
		await new Promise((resolve) => dead.close(resolve));
		await rename(`${path}.kept`, path);
		expect(await serveSocket(echo)).to.equal(path);
		const answer = await request({
			server: { path },
			method: "GET",
			path: "/",
		});
		expect(answer.status).to.equal(201);
	});

	it("leaves the socket of a living server alone and says what to do", async () => {
		const path = await serveSocket(echo);
		const failure = await failureOf(serveSocket(echo));
		expect(failure).to.be.instanceOf(ListenError);
		expect(failure).to.have.property("code", "NET_ADDRESS_IN_USE");
		expect(failure.message).to.contain("Stop that process");
		const answer = await request({
			server: { path },
			method: "GET",
			path: "/",
		});
		expect(answer.status).to.equal(201);
	});

	it("does not remove a file that is no socket", async () => {
		await writeFile(join(folder, "admin.sock"), "mine");
		const failure = await failureOf(serveSocket(echo));
		expect(failure).to.have.property("code", "NET_CANNOT_LISTEN");
		expect((await stat(join(folder, "admin.sock"))).size).to.equal(4);
	});

	it("says what to do about a port that is taken", async () => {
		const { port } = await serve(echo);
		const listen = { host: "127.0.0.1", port };
		const failure = await failureOf(
			serveHttp({ listen, handler: echo, log: silentLogger }),
		);
		expect(failure).to.have.property("code", "NET_ADDRESS_IN_USE");
		expect(failure.message).to.contain(`127.0.0.1:${port}`);
	});

	it("refuses a body over the limit with 413", async () => {
		const { url } = await serve(echo, { maxBodyBytes: 10 });
		const answer = await request({
			server: { url },
			method: "POST",
			path: "/",
			body: "x".repeat(11),
		});
		expect(answer.status).to.equal(413);
		expect(await answer.text()).to.contain("10 bytes");
	});

	it("refuses a path that cannot be decoded with 400", async () => {
		const { url } = await serve(echo);
		const answer = await request({
			server: { url },
			method: "GET",
			path: "/%zz",
		});
		expect(answer.status).to.equal(400);
	});

	it("refuses a foreign host on loopback with 403", async () => {
		const { url } = await serve(echo);
		const answer = await request({
			server: { url },
			method: "GET",
			path: "/",
			headers: { host: "evil.example" },
		});
		expect(answer.status).to.equal(403);
	});

	it("hides the cause of an error from the client and logs it", async () => {
		const logged: unknown[] = [];
		const log: Logger = {
			...silentLogger,
			error: (_, fields) => logged.push(fields?.["cause"]),
		};
		const bug = new Error("secret");
		const { url } = await serve(() => Promise.reject(bug), {}, log);
		const answer = await request({ server: { url }, method: "GET", path: "/" });
		expect(answer.status).to.equal(500);
		expect(await answer.text()).to.equal("internal error\n");
		expect(logged).to.deep.equal([bug]);
	});

	it("sends a large body whole", async () => {
		const body = Buffer.alloc(3_000_000, "lateen");
		const { url } = await serve(async () => ({ status: 200, body }));
		const answer = await request({ server: { url }, method: "GET", path: "/" });
		const got = await answer.text();
		expect(got).to.have.length(body.length);
		expect(got === body.toString()).to.equal(true);
	});

	it("streams, and aborts the signal when the client leaves", async () => {
		const aborted = Promise.withResolvers<void>();
		const { url } = await serve(async (_, signal) => {
			signal.addEventListener("abort", () => aborted.resolve());
			return {
				status: 200,
				body: (async function* () {
					yield "one\n";
					await aborted.promise;
				})(),
			};
		});
		const answer = await request({ server: { url }, method: "GET", path: "/" });
		for await (const chunk of answer.body) {
			expect(Buffer.from(chunk).toString()).to.equal("one\n");
			break;
		}
		await aborted.promise;
	});

	it("pulls a streamed body only as fast as the client reads", async () => {
		let pulled = 0;
		const ended = Promise.withResolvers<void>();
		const chunk = Buffer.alloc(64 * 1024);
		const { port } = await serve(
			async () => ({
				status: 200,
				body: (async function* () {
					try {
						for (; pulled < 10_000; pulled += 1) yield chunk;
					} finally {
						ended.resolve();
					}
				})(),
			}),
			{ blockedWriteMs: 100 },
		);
		const socket = await connect(port);
		socket.pause();
		socket.write("GET / HTTP/1.1\r\nhost: localhost\r\n\r\n");
		await ended.promise;
		socket.destroy();
		expect(pulled).to.be.lessThan(500);
	});

	it("closes a connection that does not finish its headers", async () => {
		const { port } = await serve(echo, { headersMs: 50 });
		const socket = await connect(port);
		socket.resume();
		socket.write("GET / HTTP/1.1\r\nhost: loc");
		await new Promise((resolve) => socket.once("close", resolve));
	});

	it("survives garbage", async () => {
		const { port, url } = await serve(echo);
		const socket = await connect(port);
		socket.resume();
		socket.write(Buffer.alloc(100_000, 0xfe));
		await new Promise((resolve) => socket.once("close", resolve));
		const answer = await request({ server: { url }, method: "GET", path: "/" });
		expect(answer.status).to.equal(201);
	});

	it("stops open streams when it is disposed of, and nobody listens afterwards", async () => {
		const path = await serveSocket(async (_, signal) => ({
			status: 200,
			body: (async function* () {
				yield "one\n";
				await new Promise((resolve) =>
					signal.addEventListener("abort", resolve),
				);
			})(),
		}));
		const answer = await request({
			server: { path },
			method: "GET",
			path: "/",
		});
		const [server] = servers.splice(0);
		await server?.[Symbol.asyncDispose]();
		expect(await answer.text()).to.equal("one\n");
		const failure = await failureOf(
			request({ server: { path }, method: "GET", path: "/" }),
		);
		expect(failure).to.be.instanceOf(HttpClientError);
		expect(failure).to.have.property("code", "NET_NOBODY_LISTENS");
		expect(failure.message).to.contain(path);
	});

	it("does not wait for connections without a request when it is disposed of", async () => {
		const { port } = await serve(echo, { stopMs: 60_000 });
		const socket = createConnection({ host: "127.0.0.1", port });
		await once(socket, "connect");
		socket.resume();
		const closed = once(socket, "close");
		const [server] = servers.splice(0);
		await server?.[Symbol.asyncDispose]();
		await closed;
	});

	it("answers what was asked before it is disposed of, and then keeps no connection", async () => {
		const answers = Promise.withResolvers<void>();
		const asked = Promise.withResolvers<void>();
		const { port } = await serve(
			async () => {
				asked.resolve();
				await answers.promise;
				return { status: 200, body: "late" };
			},
			{ stopMs: 60_000 },
		);
		const socket = createConnection({ host: "127.0.0.1", port });
		const read = text(socket);
		socket.write(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
		await asked.promise;
		const [server] = servers.splice(0);
		const disposed = server?.[Symbol.asyncDispose]();
		answers.resolve();
		await disposed;
		expect(await read).to.include("late");
	});

	it("lets the client give up", async () => {
		const started = Promise.withResolvers<void>();
		const { url } = await serve(
			(_, signal) =>
				new Promise((resolve) => {
					signal.addEventListener("abort", () => resolve({ status: 200 }));
					started.resolve();
				}),
		);
		const leaving = new AbortController();
		const pending = failureOf(
			request({ server: { url }, method: "GET", path: "/" }, leaving.signal),
		);
		await started.promise;
		leaving.abort(new Error("enough"));
		expect((await pending).message).to.equal("enough");
	});

	it("tells a server that does not answer from one that does not run", async () => {
		const { url } = await serve(
			(_, signal) =>
				new Promise((resolve) => {
					signal.addEventListener("abort", () => resolve({ status: 200 }));
				}),
		);
		const failure = await failureOf(
			request({ server: { url }, method: "GET", path: "/", timeoutMs: 30 }),
		);
		expect(failure).to.have.property("code", "NET_TIMEOUT");
	});
});

function connect(port: number): Promise<Socket> {
	return new Promise((resolve, reject) => {
		const socket = createConnection({ host: "127.0.0.1", port });
		socket.once("connect", () => resolve(socket));
		socket.once("error", reject);
	});
}
