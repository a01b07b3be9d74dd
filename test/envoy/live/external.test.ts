import { createServer } from "node:https";
import { expect } from "chai";
import { freePorts } from "../../../hack/programs/free-ports.ts";
import {
	apiCertificate,
	authorityCertificate,
	strangersCertificate,
} from "../../testkit/certificates.ts";
import { eventually } from "../../testkit/eventually.ts";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import {
	externalYaml,
	meshYaml,
	ruleYaml,
	serviceYaml,
} from "../../testkit/mesh-yaml.ts";
import { send } from "../../testkit/send.ts";
import { dial, exchange, say, tcpApplication } from "../../testkit/tcp.ts";

describe("services outside the mesh", () => {
	let mesh: LiveMesh;
	let caller: Caller;
	/** Ports of two HTTP applications and a TLS one that tells the server name it was asked for. */
	let one: number;
	let two: number;
	let secure: number;
	/** The caller's local listener for port 9000 of `api.example.com`. */
	let local: string;

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		const start = async (name: string): Promise<number> =>
			(await mesh.application({ name, service: "nobody" })).port;
		[one, two] = await Promise.all([start("one"), start("two")]);
		secure = await mesh.listen(
			createServer(apiCertificate(), (request, response) => {
				const { servername } = request.socket as { servername?: string };
				response.end(`${servername} ${request.headers.host}`);
			}),
		);
		const [port] = await freePorts(1);
		local = `127.0.0.1:${port}`;
		caller = await mesh.caller("default/caller", {
			flags: ["--tcp", `api.example.com:9000=${local}`],
		});
	});

	after(() => mesh[Symbol.asyncDispose]());

	async function ask(url: string): Promise<string> {
		const { from, body } = await caller.ask(url);
		return typeof from === "string" ? from : `${from} ${body}`;
	}

	it("are found at the endpoints that are listed, by their ports and labels", async () => {
		mesh.write(
			"external.yaml",
			externalYaml("legacy", {
				hosts: ["legacy.example.com"],
				resolution: "Static",
				ports: [{ number: 8080, name: "http", protocol: "HTTP" }],
				endpoints: [
					{
						address: "127.0.0.1",
						ports: { http: one },
						labels: { site: "a" },
					},
					{
						address: "127.0.0.1",
						ports: { http: two },
						labels: { site: "b" },
					},
				],
			}),
		);
		await eventually(async () =>
			expect(
				await caller.tally(40, "http://legacy.example.com:8080/"),
			).to.have.all.keys("one", "two"),
		);
		await mesh.rules(
			ruleYaml("legacy", {
				destination: { host: "legacy.example.com" },
				route: [{ labels: { site: "b" } }],
			}),
		);
		await eventually(async () =>
			expect(
				await caller.tally(20, "http://legacy.example.com:8080/"),
			).to.deep.equal({ two: 20 }),
		);
		await mesh.rules();
	});

	it("are looked up in DNS by the proxy", async () => {
		mesh.write(
			"external.yaml",
			externalYaml("named", {
				hosts: ["named.example.com"],
				resolution: "DNS",
				ports: [{ number: 80, name: "http", protocol: "HTTP" }],
				endpoints: [{ address: "localhost", ports: { http: one } }],
			}),
		);
		await eventually(async () =>
			expect(await ask("http://named.example.com/")).to.equal("one"),
		);
	});

	it("with resolution None are found by the host that was called, under a wildcard", async () => {
		mesh.write(
			"external.yaml",
			meshYaml({ outboundTraffic: "RegistryOnly" }) +
				externalYaml("anything", {
					hosts: ["*.lateen.localhost"],
					resolution: "None",
					ports: [{ number: one, name: "http", protocol: "HTTP" }],
				}),
		);
		await eventually(async () =>
			expect(await ask(`http://a.lateen.localhost:${one}/`)).to.equal("one"),
		);
		expect(await ask(`http://a.b.lateen.localhost:${one}/`)).to.equal("one");
		await mesh.rules(
			ruleYaml("wild", {
				destination: { host: "*.lateen.localhost" },
				match: [{ path: "/x" }],
				respond: { status: 418 },
			}),
		);
		await eventually(async () =>
			expect(await ask(`http://a.lateen.localhost:${one}/x`)).to.equal("418 "),
		);
		await mesh.rules();
	});

	it("as a Service of type ExternalName are looked up under that name", async () => {
		mesh.write(
			"external.yaml",
			`{apiVersion: v1, kind: Service, metadata: {name: alias, namespace: default}, spec: {type: ExternalName, externalName: localhost, ports: [{name: http, port: ${one}}]}}`,
		);
		await eventually(async () =>
			expect(await ask(`http://alias:${one}/`)).to.equal("one"),
		);
	});

	describe("to which the proxy speaks TLS", () => {
		const over = (port: object, hosts: readonly string[], more = {}): string =>
			externalYaml("api", {
				hosts,
				resolution: "Static",
				ports: [{ number: 80, name: "http", protocol: "HTTP", tls: port }],
				endpoints: [{ address: "127.0.0.1", ports: { http: secure } }],
				...more,
			});
		const caCertificates = authorityCertificate();

		it("get the server name that is set, when their certificate has it", async () => {
			mesh.write(
				"external.yaml",
				over({ sni: "api.example.com", caCertificates }, ["api.example.com"]),
			);
			await eventually(async () =>
				expect(await ask("http://api.example.com/")).to.equal(
					"200 api.example.com api.example.com",
				),
			);
		});

		it("get the host that was called as server name when none is set", async () => {
			mesh.write(
				"external.yaml",
				over({ caCertificates }, ["api.example.com", "*.example.net"]),
			);
			await eventually(async () => {
				expect(await ask("http://b.example.net/")).to.equal(
					"200 b.example.net b.example.net",
				);
				expect(await ask("http://api.example.com/")).to.equal(
					"200 api.example.com api.example.com",
				);
			});
		});

		/** Expects 503 for the host, and this reason among the figures of its cluster. */
		async function expectRefused(host: string, reason: string): Promise<void> {
			await eventually(async () => {
				expect((await caller.ask(`http://${host}/`)).status).to.equal(503);
				const { body } = await send(
					`http://${caller.envoy.admin}/stats?filter=${host.replaceAll(".", "_")}.*${reason}&usedonly`,
				);
				expect(body).to.match(/: [1-9]/);
			});
		}

		it("are refused when their certificate is for another name", async () => {
			mesh.write(
				"external.yaml",
				over({ caCertificates }, ["wrong.example.org"]),
			);
			await expectRefused("wrong.example.org", "ssl.fail_verify_san");
		});

		it("are taken under another name that is set", async () => {
			mesh.write(
				"external.yaml",
				over({ caCertificates, subjectAltNames: ["api.example.com"] }, [
					"wrong.example.org",
				]),
			);
			await eventually(async () =>
				expect(await ask("http://wrong.example.org/")).to.equal(
					"200 wrong.example.org wrong.example.org",
				),
			);
		});

		it("are refused when nobody who is trusted signed their certificate", async () => {
			mesh.write(
				"external.yaml",
				over(
					{ sni: "api.example.com", caCertificates: strangersCertificate() },
					["api.example.com"],
				),
			);
			await expectRefused("api.example.com", "ssl.fail_verify_error");
		});

		it("get TLS around plain TCP, too", async () => {
			mesh.write(
				"external.yaml",
				externalYaml("api", {
					hosts: ["api.example.com"],
					resolution: "Static",
					ports: [
						{
							number: 9000,
							name: "tcp",
							protocol: "TCP",
							tls: { sni: "api.example.com", caCertificates },
						},
					],
					endpoints: [{ address: "127.0.0.1", ports: { tcp: secure } }],
				}),
			);
			await eventually(async () =>
				expect(
					await say(local, "GET / HTTP/1.1\r\nhost: inside\r\n\r\n"),
				).to.include("api.example.com inside"),
			);
		});

		it("are taken unseen when told so", async () => {
			mesh.write(
				"external.yaml",
				over({ insecureSkipVerify: true }, ["wrong.example.org"]),
			);
			await eventually(async () =>
				expect(await ask("http://wrong.example.org/")).to.equal(
					"200 wrong.example.org wrong.example.org",
				),
			);
		});
	});

	describe("of which the mesh does not know", () => {
		async function tunnel(authority: string): Promise<string> {
			const socket = await dial(caller.proxy);
			try {
				const head = await exchange(
					socket,
					`CONNECT ${authority} HTTP/1.1\r\nhost: ${authority}\r\n\r\n`,
				);
				if (!head.startsWith("HTTP/1.1 200")) return head.slice(9, 12);
				return await exchange(socket, "ping");
			} finally {
				socket.destroy();
			}
		}

		it("are called all the same with AllowAny, over HTTP and by tunnel", async () => {
			mesh.write("external.yaml", meshYaml({ outboundTraffic: "AllowAny" }));
			const tcp = await tcpApplication(mesh, "raw");
			await eventually(async () => {
				expect(await ask(`http://localhost:${one}/`)).to.equal("one");
				expect(await ask(`http://127.0.0.1:${two}/`)).to.equal("two");
				expect(await tunnel(`localhost:${tcp}`)).to.equal("raw:ping");
			});
		});

		it("are refused with RegistryOnly, and the answer says what to do", async () => {
			mesh.write(
				"external.yaml",
				meshYaml({ outboundTraffic: "RegistryOnly" }),
			);
			const tcp = await tcpApplication(mesh, "raw");
			await eventually(async () => {
				expect(await ask(`http://localhost:${one}/`)).to.match(
					/^502 .*RegistryOnly.*ExternalService/s,
				);
				expect(await tunnel(`localhost:${tcp}`)).to.equal("502");
			});
		});
	});
});
