import type { ServerResponse } from "node:http";
import { expect } from "chai";
import { freePorts } from "../../hack/programs/free-ports.ts";
import {
	type Application,
	type Caller,
	inParallel,
	LiveMesh,
} from "../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../testkit/mesh-yaml.ts";
import { type Ask, send } from "../testkit/send.ts";
import { say, tcpApplication } from "../testkit/tcp.ts";

/** Envoy's own ceiling is 1,024. */
const manyRequests = 1_200;

describe("what proxies do without a rule", () => {
	let mesh: LiveMesh;
	let caller: Caller;
	let echo: Application;
	/** Addresses: the gateway, the sidecar in front of echo, and the local listener for db. */
	let gateway: string;
	let inbound: string;
	let db: string;
	/** Requests that wait until all of them are there. */
	const waiting: ServerResponse[] = [];

	before(async () => {
		[gateway = "", inbound = "", db = ""] = (await freePorts(3)).map(
			(port) => `127.0.0.1:${port}`,
		);
		mesh = await LiveMesh.start(
			serviceYaml("echo") +
				serviceYaml("db", [{ name: "tcp", port: 5432 }]) +
				ruleYaml("open", { destination: { name: "echo" }, gateways: ["edge"] }),
		);
		echo = await mesh.application({
			name: "echo",
			service: "echo",
			behaviour: ({ url }, response) => {
				if (url !== "/together") return false;
				if (waiting.push(response) === manyRequests)
					for (const one of waiting) one.end("together");
				return true;
			},
		});
		caller = await mesh.caller("default/caller", {
			flags: ["--tcp", `db.default:5432=${db}`],
		});
		await mesh.envoy("sidecar", [
			...["--proxy", "default/echo"],
			...["--inbound", `${inbound}=127.0.0.1:${echo.port}=http`],
		]);
		await mesh.envoy("edge", ["--gateway", "edge", "--listen", gateway]);
		await mesh.rules(
			ruleYaml("open", { destination: { name: "echo" }, gateways: ["edge"] }),
		);
	});

	after(() => mesh[Symbol.asyncDispose]());

	it("takes HTTP/1.0, which applications get as HTTP/1.1", async () => {
		const answer = await say(
			caller.proxy,
			"GET http://echo.default/old HTTP/1.0\r\nhost: echo.default\r\n\r\n",
		);
		expect(answer).to.match(/^HTTP\/1\.[01] 200 OK\r\n/);
		expect(echo.seen.at(-1)?.url).to.equal("/old");
	});

	it("knows a host with a dot at its end", async () => {
		const { seen } = await caller.ask(
			"http://echo.default.svc.cluster.local./",
		);
		expect(seen?.headers["host"]).to.equal("echo.default.svc.cluster.local");
	});

	describe("with what a client says about itself", () => {
		const ask: Ask = {
			headers: {
				"x-request-id": "0b6b1f6e-6d0e-4d3c-9a44-6f0f5b3c2a11",
				"x-forwarded-for": "192.0.2.7",
				"x-forwarded-proto": "https",
				"x-envoy-retry-on": "5xx",
				"x-envoy-upstream-rq-timeout-ms": "1",
				"x-envoy-internal": "true",
			},
		};
		const asked = ask.headers ?? {};

		it("does not believe it at a gateway", async () => {
			const { seen } = await send(`http://${gateway}/`, ask);
			const got = seen?.headers ?? {};
			expect(got["x-request-id"]).to.match(/^[0-9a-f-]{36}$/);
			expect(got["x-request-id"]).to.not.equal(asked["x-request-id"]);
			expect(got["x-forwarded-for"]).to.match(/^192\.0\.2\.7,.+$/);
			expect(got["x-forwarded-proto"]).to.equal("http");
			expect(got).to.not.have.any.keys(
				"x-envoy-retry-on",
				"x-envoy-upstream-rq-timeout-ms",
				"x-envoy-internal",
			);
		});

		it("passes on in a sidecar what traces and addresses need", async () => {
			const { seen } = await caller.ask("http://echo.default/", ask);
			expect(seen?.headers).to.include({
				"x-request-id": asked["x-request-id"],
				"x-forwarded-for": "192.0.2.7",
				"x-forwarded-proto": "https",
			});
		});
	});

	it("carries more than a thousand requests at a time, to hosts that it does not know and to its application", async () => {
		const answers: string[] = [];
		await inParallel(manyRequests, manyRequests, async () => {
			const { body } = await send(
				`http://${inbound}/together`,
				{ timeoutMs: 30_000 },
				{ proxy: caller.proxy },
			);
			answers.push(body);
		});
		expect(answers.filter((body) => body === "together")).to.have.lengthOf(
			manyRequests,
		);
	});

	it("tries another endpoint for a TCP connection that is not made", async () => {
		const [dead = 0] = await freePorts(1);
		const live = await tcpApplication(mesh, "live");
		mesh.workload({ name: "db-1", service: "db", ports: { tcp: live } });
		mesh.workload({ name: "db-2", service: "db", ports: { tcp: dead } });
		await mesh.rules(
			ruleYaml("open", { destination: { name: "echo" }, gateways: ["edge"] }),
		);
		let lost = 0;
		await inParallel(400, 1, async () => {
			if ((await say(db, "x")) !== "live:x") lost += 1;
		});
		// Two of three tries meet the dead endpoint, which has the fewest connections: one try would lose 267 ± 10, five lose 53 ± 7.
		expect(lost).to.be.within(1, 130);
	});
});
