import { expect } from "chai";
import { freePorts } from "../../../hack/programs/free-ports.ts";
import { eventually } from "../../testkit/eventually.ts";
import {
	type Application,
	type Caller,
	LiveMesh,
} from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import { send } from "../../testkit/send.ts";
import { expectShare } from "../../testkit/share.ts";
import { say, tcpApplication } from "../../testkit/tcp.ts";

const destination = { name: "echo" };
const url = "http://echo/";

describe("services and their endpoints", () => {
	let mesh: LiveMesh;
	let caller: Caller;
	let v1: Application;
	let v2: Application;

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo") + serviceYaml("empty"));
		const start = (version: string) =>
			mesh.application({
				name: `echo-${version}`,
				service: "echo",
				labels: { version },
			});
		[v1, v2] = await Promise.all([start("v1"), start("v2")]);
		caller = await mesh.caller();
	});

	after(() => mesh[Symbol.asyncDispose]());

	describe("what a rule names and does not exist", () => {
		it("is answered with 503 and a sentence by that rule's requests alone", async () => {
			await mesh.rules(
				ruleYaml("lost", {
					destination,
					match: [{ path: "/lost" }],
					route: [{ destination: { name: "nowhere" } }],
				}),
			);
			const lost = await caller.ask(`${url}lost`);
			expect(lost.status).to.equal(503);
			expect(lost.body).to.include(
				"Nothing that RouteRule default/lost routes to exists",
			);
			expect((await caller.ask(url)).status).to.equal(200);
			expect(await mesh.admin("/v1/problems")).to.include("nowhere");
		});

		it("costs just its share of the weights", async () => {
			await mesh.rules(
				ruleYaml("half", {
					destination,
					route: [
						{ labels: { version: "v1" }, weight: 1 },
						{ destination: { name: "nowhere" }, weight: 1 },
					],
				}),
			);
			const tally = await caller.tally(1_000, url);
			expect(tally).to.have.all.keys("echo-v1", "503");
			expectShare(tally[503] ?? 0, 1_000, 0.5);
		});

		it("is answered with 503 that names the version, when nothing has it", async () => {
			await mesh.rules(
				ruleYaml("no-version", {
					destination,
					match: [{ path: "/v9" }],
					route: [{ labels: { version: "v9" } }],
				}),
			);
			const { status, body } = await caller.ask(`${url}v9`);
			expect(status).to.equal(503);
			expect(body).to.include("No endpoint").and.include("version=v9");
			expect(body).to.include("default/no-version");
			expect((await caller.ask(url)).status).to.equal(200);
		});

		it("is in force as soon as it exists", async () => {
			await mesh.rules(
				ruleYaml("soon", {
					destination,
					route: [{ destination: { name: "later" } }],
				}),
			);
			expect((await caller.ask(url)).status).to.equal(503);
			mesh.write("later.yaml", serviceYaml("later"));
			await mesh.application({ name: "later", service: "later" });
			await eventually(async () => {
				expect((await caller.ask(url)).from).to.equal("later");
			});
		});
	});

	describe("endpoints", () => {
		beforeEach(() => mesh.rules());

		async function uses(...names: readonly string[]): Promise<void> {
			await eventually(async () => {
				const tally = await caller.tally(60, url);
				expect(tally).to.have.all.keys(...names);
			});
		}

		it("answer 503 with a sentence when a service has none", async () => {
			const { status, body } = await caller.ask("http://empty/");
			expect(status).to.equal(503);
			expect(body).to.include("No endpoint").and.include("empty.default");
		});

		it("are used as soon as they come, and no longer when they are gone", async () => {
			await uses("echo-v1", "echo-v2");
			await mesh.application({ name: "echo-new", service: "echo" });
			await uses("echo-v1", "echo-v2", "echo-new");
			mesh.removeWorkload("echo-new");
			await uses("echo-v1", "echo-v2");
		});

		it("get nothing new while they drain, and all there is when they are the last", async () => {
			const draining = { ready: false, serving: true, terminating: true };
			const drain = (version: string, port: number) =>
				mesh.workload({
					name: `echo-${version}`,
					service: "echo",
					labels: { version },
					ports: { http: port },
					conditions: draining,
				});
			drain("v1", v1.port);
			await uses("echo-v2");
			drain("v2", v2.port);
			await uses("echo-v1", "echo-v2");
			for (const [version, { port }] of [
				["v1", v1],
				["v2", v2],
			] as const)
				mesh.workload({
					name: `echo-${version}`,
					service: "echo",
					labels: { version },
					ports: { http: port },
				});
			await uses("echo-v1", "echo-v2");
		});

		it("get nothing while they are not ready", async () => {
			mesh.workload({
				name: "echo-v1",
				service: "echo",
				labels: { version: "v1" },
				ports: { http: v1.port },
				conditions: { ready: false },
			});
			await uses("echo-v2");
		});
	});

	describe("a sidecar in front of an application", () => {
		it("passes on what the caller's sidecar sends, whole", async () => {
			mesh.write("inner-service.yaml", serviceYaml("inner"));
			const [inbound = 0] = await freePorts(1);
			const { port } = await mesh.application({
				name: "inner-app",
				service: "not-in-the-mesh",
			});
			const envoy = await mesh.envoy("inner", [
				...["--proxy", "default/inner"],
				...["--inbound", `127.0.0.1:${inbound}=127.0.0.1:${port}=http`],
			]);
			mesh.workload({
				name: "inner",
				service: "inner",
				ports: { http: inbound },
			});
			await mesh.rules(
				ruleYaml("inner", {
					destination: { name: "inner" },
					headers: { request: { set: { "x-rule": "yes" } } },
				}),
			);
			await eventually(async () => {
				const { seen } = await caller.ask("http://inner/a%2Fb?c=d%20e", {
					method: "POST",
					body: "x".repeat(100_000),
					headers: { "x-request-id": "mine" },
				});
				expect(seen).to.include({
					workload: "inner-app",
					method: "POST",
					url: "/a%2Fb?c=d%20e",
				});
				expect(seen?.headers).to.include({
					"x-rule": "yes",
					"x-request-id": "mine",
					host: "inner",
				});
			});
			// Both proxies had a part in it.
			const stats = await send(
				`http://${envoy.admin}/stats?filter=inbound.*downstream_rq_2xx&usedonly`,
			);
			expect(stats.body).to.match(/downstream_rq_2xx: [1-9]/);
		});

		it("finds out what is spoken where nothing says it, on the whole way", async () => {
			mesh.write(
				"guess-service.yaml",
				serviceYaml("guess", [{ name: "main", port: 7777 }]),
			);
			const [web = 0, raw = 0] = await freePorts(2);
			const { port } = await mesh.application({
				name: "guess-app",
				service: "not-in-the-mesh",
			});
			const tcp = await tcpApplication(mesh, "guess-tcp");
			const envoy = await mesh.envoy("guess", [
				...["--proxy", "default/guess"],
				...["--inbound", `127.0.0.1:${web}=127.0.0.1:${port}`],
				...["--inbound", `127.0.0.1:${raw}=127.0.0.1:${tcp}`],
			]);
			mesh.workload({ name: "guess", service: "guess", ports: { main: web } });
			await mesh.rules(
				ruleYaml("guess", {
					destination: { name: "guess" },
					headers: { request: { set: { "x-rule": "yes" } } },
				}),
			);
			await eventually(async () => {
				const { seen } = await caller.ask("http://guess:7777/x");
				expect(seen).to.include({ workload: "guess-app", url: "/x" });
				expect(seen?.headers).to.include({ "x-rule": "yes" });
			});
			const stats = await send(
				`http://${envoy.admin}/stats?filter=http.inbound.*downstream_rq_2xx&usedonly`,
			);
			expect(stats.body).to.match(/downstream_rq_2xx: [1-9]/);
			expect(await say(`127.0.0.1:${raw}`, "ping")).to.equal("guess-tcp:ping");
		});

		it("answers 503 by itself while the application is away", async () => {
			mesh.write("away-service.yaml", serviceYaml("away"));
			const [inbound, nobody] = await freePorts(2);
			await mesh.envoy("away", [
				...["--proxy", "default/away"],
				...["--inbound", `127.0.0.1:${inbound}=127.0.0.1:${nobody}=http`],
			]);
			mesh.workload({
				name: "away",
				service: "away",
				ports: { http: inbound ?? 0 },
			});
			await eventually(async () => {
				const { status, body } = await caller.ask("http://away/");
				expect(status).to.equal(503);
				expect(body).to.match(/connect/i);
			});
		});
	});
});

describe("a gateway", () => {
	let mesh: LiveMesh;
	let listen: string;

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo") + serviceYaml("other"));
		for (const service of ["echo", "other"])
			await mesh.application({ name: service, service });
		const [port] = await freePorts(1);
		listen = `127.0.0.1:${port}`;
		await mesh.envoy("edge", ["--gateway", "edge", "--listen", listen]);
	});

	after(() => mesh[Symbol.asyncDispose]());

	function ask(host: string, path: string, headers = {}) {
		return send(`http://${host}${path}`, { headers }, { to: listen });
	}

	it("opens what rules that name it open, and answers 404 to the rest", async () => {
		expect((await ask("shop.example.com", "/")).status).to.equal(404);
		mesh.write(
			"rules.yaml",
			ruleYaml("front", {
				destination: { name: "other" },
				gateways: ["edge"],
				precedence: 1,
				match: [{ authority: "shop.example.com", path: { prefix: "/other" } }],
			}) +
				ruleYaml("rest", {
					destination: { name: "echo" },
					gateways: ["default/edge"],
					match: [{ authority: "shop.example.com" }],
					timeout: "5s",
				}) +
				ruleYaml("elsewhere", {
					destination: { name: "echo" },
					gateways: ["another"],
				}) +
				ruleYaml("sidecars", {
					destination: { name: "echo" },
					match: [{ path: "/sidecars" }],
				}),
		);
		await eventually(async () => {
			expect((await ask("shop.example.com", "/")).from).to.equal("echo");
			expect((await ask("shop.example.com", "/other/x")).from).to.equal(
				"other",
			);
		});
		expect((await ask("SHOP.example.com:80", "/")).from).to.equal("echo");
		for (const [host, path] of [
			["other.example.com", "/"],
			["echo", "/"],
			["echo.default.svc.cluster.local", "/sidecars"],
		] as const) {
			const { status, body } = await ask(host, path);
			expect(status).to.equal(404);
			expect(body).to.include("default/edge");
		}
	});

	it("believes nothing that a client says about itself", async () => {
		const { seen } = await ask("shop.example.com", "/", {
			"x-forwarded-for": "10.0.0.1",
			"x-envoy-upstream-rq-timeout-ms": "1",
		});
		// The address that it really comes from stands last; for loopback that is the proxy's own.
		expect(seen?.headers["x-forwarded-for"]).to.match(/^10\.0\.0\.1,./);
		expect(seen?.headers).not.to.have.property(
			"x-envoy-upstream-rq-timeout-ms",
		);
	});

	it("matches the path that the application will see", async () => {
		expect((await ask("shop.example.com", "/x/../other")).from).to.equal(
			"other",
		);
		expect((await ask("shop.example.com", "//other//x")).seen).to.include({
			workload: "other",
			url: "/other/x",
		});
	});
});
