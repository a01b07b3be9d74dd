import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { expect } from "chai";
import { freePorts } from "../../../hack/programs/free-ports.ts";
import { eventually } from "../../testkit/eventually.ts";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import { dial, exchange, tcpApplication } from "../../testkit/tcp.ts";

const key = "dGhlIHNhbXBsZSBub25jZQ==";

describe("upgrade", () => {
	let mesh: LiveMesh;
	let caller: Caller;

	before(async () => {
		mesh = await LiveMesh.start(
			serviceYaml("echo") +
				serviceYaml("other") +
				serviceYaml("db", [
					{ name: "tcp", port: 5432 },
					{ name: "tls", port: 5433 },
				]),
		);
		// Speaks WebSocket's handshake, then sends everything back.
		const server = createServer((_request, response) => {
			response.end("plain");
		});
		server.on("upgrade", (request, socket) => {
			const accept = createHash("sha1")
				.update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
				.digest("base64");
			socket.write(
				`HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\nx-path: ${request.url}\r\n\r\n`,
			);
			socket.on("error", () => socket.destroy());
			socket.on("data", (data) => socket.write(data));
			mesh.atEnd(() => {
				socket.destroy();
			});
		});
		server.on("connect", (request, socket) => {
			socket.write("HTTP/1.1 200 OK\r\n\r\n");
			socket.on("error", () => socket.destroy());
			socket.on("data", (data) =>
				socket.write(`tunnel to ${request.url}: ${data}`),
			);
			mesh.atEnd(() => {
				socket.destroy();
			});
		});
		const application = await mesh.listen(server);
		// The way of a request: the caller's Envoy, the application's Envoy, the application.
		const [inbound = 0] = await freePorts(1);
		await mesh.envoy("echo", [
			...["--proxy", "default/echo"],
			...["--inbound", `127.0.0.1:${inbound}=127.0.0.1:${application}=http`],
		]);
		mesh.workload({ name: "echo", service: "echo", ports: { http: inbound } });
		const db = await tcpApplication(mesh, "db");
		mesh.workload({ name: "db", service: "db", ports: { tcp: db, tls: db } });
		caller = await mesh.caller();
	});

	after(() => mesh[Symbol.asyncDispose]());

	/** Sends a head through the forward proxy; returns the head of the answer and what comes back of `text`. */
	async function upgraded(
		head: readonly string[],
		text: string,
	): Promise<{ readonly head: string; readonly back: string }> {
		const socket = await dial(caller.proxy);
		try {
			const answer = await exchange(socket, `${head.join("\r\n")}\r\n\r\n`);
			const accepted = /^HTTP\/1.1 (101|200)/.test(answer);
			return {
				head: answer,
				back: accepted ? await exchange(socket, text) : "",
			};
		} finally {
			socket.destroy();
		}
	}

	function webSocket(path: string): readonly string[] {
		return [
			`GET http://echo${path} HTTP/1.1`,
			"host: echo",
			"connection: Upgrade",
			"upgrade: websocket",
			"sec-websocket-version: 13",
			`sec-websocket-key: ${key}`,
		];
	}

	function connect(authority: string): readonly string[] {
		return [`CONNECT ${authority} HTTP/1.1`, `host: ${authority}`];
	}

	it("to WebSocket works through both proxies without a rule", async () => {
		await mesh.rules();
		const { head, back } = await upgraded(webSocket("/ws?x=1"), "ping");
		expect(head).to.include("101 Switching Protocols");
		expect(head).to.include("x-path: /ws?x=1");
		expect(back).to.equal("ping");
	});

	it("to WebSocket works with a rule that names it, and with one that says nothing", async () => {
		await mesh.rules(
			ruleYaml("sockets", {
				destination: { name: "echo" },
				match: [{ path: { prefix: "/ws" } }],
				upgrade: ["websocket"],
				timeout: "5s",
			}),
			ruleYaml("rest", {
				destination: { name: "echo" },
				headers: { request: { set: { "x-a": "b" } } },
			}),
		);
		for (const path of ["/ws", "/rest"])
			expect((await upgraded(webSocket(path), "ping")).back).to.equal("ping");
	});

	it("to WebSocket is refused by a rule that names only others", async () => {
		await mesh.rules(
			ruleYaml("no-sockets", {
				destination: { name: "echo" },
				upgrade: ["connect"],
			}),
		);
		expect((await upgraded(webSocket("/"), "ping")).head).to.match(
			/^HTTP\/1.1 403/,
		);
	});

	it("to a tunnel reaches a TCP port of a service, under each of its names", async () => {
		await mesh.rules();
		for (const authority of [
			"db:5432",
			"db.default:5432",
			"db.default.svc.cluster.local:5432",
			"db:5433",
		])
			expect((await upgraded(connect(authority), "ping")).back).to.equal(
				"db:ping",
			);
	});

	it("to a tunnel follows the rules of the TCP port", async () => {
		const blue = await tcpApplication(mesh, "blue");
		mesh.workload({
			name: "db-blue",
			service: "db",
			labels: { color: "blue" },
			ports: { tcp: blue, tls: blue },
		});
		await mesh.rules(
			ruleYaml("blue", {
				destination: { name: "db", port: 5432 },
				route: [{ labels: { color: "blue" } }],
			}),
		);
		for (let i = 0; i < 8; i++)
			await eventually(async () =>
				expect((await upgraded(connect("db:5432"), "ping")).back).to.equal(
					"blue:ping",
				),
			);
	});

	it("to a tunnel is not possible to an HTTP port without a rule", async () => {
		await mesh.rules();
		expect((await upgraded(connect("echo:80"), "x")).head).to.match(
			/^HTTP\/1.1 (403|404)/,
		);
	});

	it("to a tunnel reaches an application that speaks CONNECT, with a rule that allows it", async () => {
		await mesh.rules(
			ruleYaml("tunnel", {
				destination: { name: "echo" },
				upgrade: ["connect", "websocket"],
			}),
		);
		const { head, back } = await upgraded(connect("echo:80"), "ping");
		expect(head).to.match(/^HTTP\/1.1 200/);
		expect(back).to.equal("tunnel to echo:80: ping");
	});
});
