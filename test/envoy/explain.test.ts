import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import {
	createServer,
	request as httpRequest,
	type IncomingMessage,
	type Server,
} from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import fc from "fast-check";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { buildMesh } from "../../src/mesh/build.ts";
import type { Mesh } from "../../src/mesh/mesh.ts";
import { readDirectory } from "../../src/sources/read-directory.ts";
import type { Attachment } from "../../src/xds/explain/choose-listener.ts";
import { explainRequest } from "../../src/xds/explain/explain-request.ts";
import type {
	Explanation,
	SeenRequest,
} from "../../src/xds/explain/explanation.ts";
import {
	decodeConfig,
	type ProxyConfig,
} from "../../src/xds/explain/proxy-config.ts";
import { parseTarget } from "../../src/xds/explain/target.ts";
import { loadPrinter } from "../../src/xds/generate/print.ts";
import { staticBootstrap } from "../../src/xds/generate/static-bootstrap.ts";
import type { JsonObject } from "../../src/xds/json.ts";
import type { Proxy } from "../../src/xds/proxy.ts";
import { renderProxy } from "../../src/xds/render.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	externalYaml,
	ruleYaml,
	serviceYaml,
	workloadYaml,
} from "../testkit/mesh-yaml.ts";
import { get, portOf } from "../testkit/small-http.ts";

const destination = { name: "reviews" };
const versions = ["v1", "v2", "v3"];

/** Rules that ask for everything that a rule can ask for, so that most requests are taken by different ones. */
const rules = [
	rule("exact", 30, [{ path: "/exact" }, { path: "/exact/" }]),
	rule("fold", 29, [{ path: { exact: "/Any/Case", ignoreCase: true } }]),
	rule("suffix", 28, [{ path: { suffix: ".json" } }], {
		route: [{ labels: { version: "v2" } }],
	}),
	rule("contains", 27, [{ path: { contains: "admin" } }]),
	rule("pattern", 26, [{ path: { regex: "/items/[0-9]+" } }], {
		rewrite: {
			regex: { pattern: "^/items/([0-9]+)$", replacement: "/i/\\1/x" },
		},
	}),
	rule("jason", 25, [{ headers: { "end-user": "jason" } }], {
		route: [{ labels: { version: "v3" } }],
		headers: { request: { set: { "x-mark": "50%" }, remove: ["x-gone"] } },
	}),
	rule("tier", 24, [
		{ headers: { "x-tier": { exact: "gold", not: true }, "x-debug": "on" } },
		{ headers: { "x-tier": { present: true }, "x-debug": { prefix: "o" } } },
		{ headers: { "x-tier": { present: false }, "x-debug": { suffix: "f" } } },
	]),
	rule("query", 23, [
		{ query: { q: "shoes", page: { regex: "[0-9]+" } } },
		{ query: { debug: { present: true }, q: { exact: "hats", not: true } } },
	]),
	rule("write", 22, [{ method: "POST", path: { prefix: "/api" } }], {
		rewrite: { prefix: "/" },
	}),
	rule("read", 21, [{ method: { regex: "GET|HEAD" }, path: "/api" }], {
		rewrite: { path: "/whole" },
	}),
	rule("slash", 20, [{ path: { prefix: "/v1/" } }], {
		rewrite: { prefix: "/v2", authority: "internal.example.com" },
	}),
	rule("moved", 19, [{ path: { prefix: "/old" } }], {
		redirect: { code: 308, scheme: "https", prefix: "/new" },
	}),
	rule("gone", 18, [{ path: { prefix: "/gone" } }], {
		redirect: { code: 302, authority: "new.example.com", path: "/here" },
	}),
	rule("port", 17, [{ path: "/port" }], { redirect: { port: 8443 } }),
	rule("noon", 16, [{ path: { prefix: "/noon" } }], {
		respond: { status: 503, body: "back at noon" },
	}),
	rule("host", 15, [{ authority: { prefix: "reviews.default" } }], {
		route: [
			{
				labels: { version: "v1" },
				weight: 1,
				headers: { request: { set: { "x-share": "v1" } } },
			},
			{ labels: { version: "v2" }, weight: 3 },
		],
	}),
	rule("private", 14, [
		{ path: { prefix: "/private", not: true }, method: "PUT" },
	]),
	rule("forwarded", 12, [
		{ path: "/proto", headers: { "x-forwarded-proto": "http" } },
	]),
	rule("several", 31, [
		{ path: "/several", headers: { "x-tier": { exact: "gold,silver" } } },
		{ path: "/several", headers: { "x-tier": { regex: "silver" } } },
		{
			path: "/several",
			headers: { "x-tier": { suffix: "r", not: true }, "x-debug": "off" },
		},
		{ path: "/several", headers: { "x-tier": { prefix: "gold" } } },
	]),
	rule("nobody", 13, [{ path: "/nobody" }], {
		route: [{ labels: { version: "v9" } }],
	}),
];

function rule(
	name: string,
	precedence: number,
	match: object[],
	spec = {},
): string {
	return ruleYaml(name, {
		destination,
		precedence,
		gateways: ["mesh", "edge"],
		match,
		...spec,
	});
}

const texts = (...values: string[]) => fc.constantFrom(...values);
/** Requests made of the words of the rules, and of words that are nearly right. */
const requests = fc.record({
	host: texts(
		"reviews:9080",
		"Reviews.Default:9080",
		"reviews.default.:9080",
		"reviews.default.svc.cluster.local:9080",
		"reviews.default.svc:9080",
		"ratings:9080",
		"reviews:9081",
		"reviews.default.svc.cluster.local.:9080",
		"api.wild.example:9080",
		"x.wild.example:9080",
		"wild.example:9080",
	),
	method: texts("GET", "POST", "PUT", "HEAD"),
	path: fc
		.tuple(
			texts(
				...[
					"/",
					"/exact",
					"/exact/",
					"/exactly",
					"/any/case",
					"/ANY/CASE/",
					"/a.json",
				],
				...[
					"/x/admin/y",
					"/items/17",
					"/items/x",
					"/items/17/",
					"/api",
					"/api/x",
					"/apix",
				],
				...[
					"/v1/",
					"/v1/x",
					"/v1",
					"/old",
					"/old/x",
					"/older",
					"/gone",
					"/gone/x",
					"/port",
				],
				...[
					"/noon",
					"/proto",
					"/several",
					"/private",
					"/nobody",
					"/a/../exact",
					"/a/%2e%2e/exact",
					"//exact",
					"/%65xact",
				],
				...[
					"/./api",
					"/a%2Fb.json",
					"/items/17%20",
					"/%C3%A9.json",
					"/exact;x=1",
					"/x\\exact",
				],
			),
			texts(
				"",
				"",
				"?q=shoes&page=3",
				"?page=3&q=shoes",
				"?q=hats&debug",
				"?debug=1",
				"?q=shoes&q=hats&page=1",
				"?page=&q=shoes",
				"?q=sh%6fes&page=1",
				"?debug&x=/admin.json",
				"?",
			),
		)
		.map(([path, query]) => `${path}${query}`),
	headers: fc.record(
		{
			"end-user": texts("jason", "Jason", "jasons", ""),
			"x-tier": fc.constantFrom("gold", "silver", "", ["gold", "silver"]),
			"x-debug": texts("on", "off", "of", "ON"),
			"x-gone": texts("1"),
			"x-mark": texts("client"),
		},
		{ requiredKeys: [] },
	),
});

type Ask = typeof requests extends fc.Arbitrary<infer T> ? T : never;

interface Answer {
	readonly status: number;
	readonly headers: IncomingMessage["headers"];
	readonly body: string;
}

interface Running {
	readonly config: ProxyConfig;
	readonly attachment: Attachment;
	readonly port: number;
}

describe("explainRequest", function () {
	this.timeout(120_000);
	const folder = mkdtempSync(join(tmpdir(), "lateen-explain-"));
	const children: ChildProcess[] = [];
	const servers: Server[] = [];
	let mesh: Mesh;

	before(async () => {
		const workloads: string[] = [];
		for (const version of versions) {
			const server = echo(version);
			servers.push(server);
			server.listen(0, "127.0.0.1");
			await once(server, "listening");
			workloads.push(
				workloadYaml({
					name: `reviews-${version}`,
					service: "reviews",
					labels: { version },
					ports: { http: portOf(server) },
				}),
			);
		}
		const ports = [{ name: "http", port: 9080 }];
		const read = await readDirectory([
			{
				kind: "text",
				name: "test",
				text: [
					serviceYaml("reviews", ports),
					serviceYaml("ratings", ports),
					...workloads,
					external("one", "api.wild.example", servers[0]),
					external("all", "*.wild.example", servers[1]),
					...rules,
				].join(""),
			},
		]);
		expect([...read.problems, ...read.invalid]).to.deep.equal([]);
		mesh = buildMesh(read.objects).mesh;
	});

	after(async () => {
		for (const child of children) {
			const ended = once(child, "exit");
			if (child.exitCode === null && child.kill("SIGKILL")) await ended;
		}
		for (const server of servers) server.close();
		rmSync(folder, { recursive: true });
	});

	it("says of requests through a sidecar what real Envoy does with them", async () => {
		const running = await start({
			kind: "sidecar",
			workload: "default/caller",
			id: "sidecar",
			attachment: "explicit",
			addresses: { outbound: "127.0.0.1:0", inbound: [], tcp: [], gateway: [] },
		});
		const seen = await compareMany(running, 500);
		expect(seen.size, [...seen].join()).to.be.greaterThan(20);
	});

	it("says of requests through a gateway what real Envoy does with them", async () => {
		const running = await start({
			kind: "gateway",
			workload: "default/edge",
			id: "gateway",
			attachment: "explicit",
			addresses: {
				inbound: [],
				tcp: [],
				gateway: [{ listen: "127.0.0.1:0" }],
			},
		});
		const seen = await compareMany(running, 500);
		expect(seen.size, [...seen].join()).to.be.greaterThan(20);
	});

	it("says of requests through a captured sidecar what real Envoy does with them", async () => {
		const running = await start({
			kind: "sidecar",
			workload: "default/caller",
			id: "captured",
			attachment: "captured",
			addresses: { inbound: [], tcp: [], gateway: [] },
		});
		const seen = await compareMany(running, 500);
		expect(seen.size, [...seen].join()).to.be.greaterThan(20);
	});

	/** Sends many requests and answers which routes took them. */
	async function compareMany(
		running: Running,
		count: number,
	): Promise<ReadonlySet<string>> {
		const routes = new Set<string>();
		await fc.assert(
			fc.asyncProperty(requests, async (ask) => {
				// Captured connections to another port come to another listener.
				fc.pre(running.attachment !== "captured" || ask.host.endsWith(":9080"));
				const url = `http://${ask.host}${ask.path}`;
				const target = parseTarget(url);
				if (target === undefined) throw new Error(url);
				const explanation = explainRequest(running.config, {
					target,
					method: ask.method,
					headers: Object.entries(ask.headers).flatMap(([name, value]) =>
						[value].flat().map((one): [string, string] => [name, one]),
					),
					attachment: running.attachment,
				});
				const answer = await send(running, ask);
				routes.add(String(answer.headers["x-route"]));
				compare(explanation, answer);
			}),
			{ numRuns: count },
		);
		return routes;
	}

	/** Starts an Envoy without a control plane on what the proxy would be sent. */
	async function start(proxy: Proxy): Promise<Running> {
		const bootstrap = staticBootstrap(
			renderProxy(mesh, proxy, "sotw"),
			await loadPrinter(),
		);
		if (proxy.attachment === "captured") bindOnly(bootstrap, "0.0.0.0_9080");
		// Envoy says with each answer which route and cluster it chose.
		const text = JSON.stringify(bootstrap, (key, value) =>
			key === "route_config"
				? {
						...value,
						response_headers_to_add: [
							header("x-route", "%ROUTE_NAME%"),
							header("x-cluster", "%UPSTREAM_CLUSTER_RAW%"),
						],
					}
				: value,
		);
		const attachment = proxy.kind === "gateway" ? "gateway" : proxy.attachment;
		const base = join(folder, attachment);
		writeFileSync(`${base}.json`, text);
		const child = spawn(
			await ensureEnvoy(),
			[
				...[
					"-c",
					`${base}.json`,
					"--use-dynamic-base-id",
					"--concurrency",
					"1",
				],
				...["--admin-address-path", `${base}.admin`],
				...["--log-path", `${base}.log`, "-l", "warning"],
			],
			{ stdio: "ignore" },
		);
		children.push(child);
		const port = await eventually(async () => {
			if (child.exitCode !== null)
				throw new Error(readFileSync(`${base}.log`, "utf8"));
			const admin = Number(
				readFileSync(`${base}.admin`, "utf8").trim().split(":")[1],
			);
			const { body } = await get(admin, "/listeners?format=json");
			return Number(/"port_value":\s*(\d+)/.exec(body)?.[1] ?? Number.NaN);
		});
		return {
			config: decodeConfig(renderProxy(mesh, proxy, "delta")),
			attachment,
			port,
		};
	}
});

function header(key: string, value: string): object {
	return {
		header: { key, value },
		append_action: "OVERWRITE_IF_EXISTS_OR_ADD",
	};
}

/** Keeps one listener, which gets a port of its own in place of connections that iptables would hand it. */
function bindOnly(bootstrap: JsonObject, name: string): void {
	const resources = bootstrap["static_resources"] as {
		listeners: JsonObject[];
	};
	resources.listeners = resources.listeners
		.filter((listener) => listener["name"] === name)
		.map((listener) => ({
			...listener,
			bind_to_port: true,
			address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
		}));
}

function external(
	name: string,
	host: string,
	server: Server | undefined,
): string {
	if (server === undefined) throw new Error("no server");
	return externalYaml(name, {
		hosts: [host],
		resolution: "Static",
		ports: [{ number: 9080, name: "http", protocol: "HTTP" }],
		endpoints: [{ address: "127.0.0.1", ports: { http: portOf(server) } }],
	});
}

/** An application that answers with what it was asked. */
function echo(workload: string): Server {
	return createServer((request, response) => {
		const { method, url, headers } = request;
		const text = JSON.stringify({ workload, method, url, headers });
		response.setHeader("x-echo", Buffer.from(text).toString("base64"));
		response.end();
	});
}

async function send({ port, attachment }: Running, ask: Ask): Promise<Answer> {
	const request = httpRequest({
		host: "127.0.0.1",
		port,
		method: ask.method,
		path:
			attachment !== "explicit" ? ask.path : `http://${ask.host}${ask.path}`,
		headers: { ...ask.headers, host: ask.host },
		agent: false,
	});
	request.end();
	const [response] = (await once(request, "response")) as [IncomingMessage];
	let body = "";
	for await (const chunk of response) body += String(chunk);
	return { status: response.statusCode ?? 0, headers: response.headers, body };
}

function compare(
	{ tried, outcome, answered }: Explanation,
	answer: Answer,
): void {
	const { status, headers, body } = answer;
	const last = tried.at(-1);
	expect(headers["x-route"] ?? "").to.equal(last?.taken ? last.name : "");
	switch (outcome.kind) {
		case "redirect":
			expect({ status, location: headers["location"] }).to.deep.equal({
				status: outcome.status,
				location: outcome.location,
			});
			return;
		case "respond":
			expect(status).to.equal(outcome.status);
			if (body !== "") expect(body).to.equal(outcome.body);
			return;
		case "refused":
			expect(status).to.equal(404);
			return;
		case "forward": {
			const target = outcome.targets.find(
				({ cluster, percent }) =>
					cluster === headers["x-cluster"] && percent > 0,
			);
			if (target === undefined)
				throw new Error(`Envoy chose ${headers["x-cluster"]}`);
			// The name of an unknown host is nobody's business but the resolver's.
			if (target.discovery === "asked for") return;
			expect(status).to.equal(answered ? 200 : 503);
			if (!answered) return;
			const seen = JSON.parse(
				Buffer.from(String(headers["x-echo"]), "base64").toString(),
			);
			const { request, service } = target;
			expect(seen.method).to.equal(request.method);
			expect(seen.url).to.equal(request.path);
			expect(seen.headers.host).to.equal(request.authority);
			for (const name of [
				"end-user",
				"x-tier",
				"x-debug",
				"x-gone",
				"x-mark",
				"x-share",
			])
				expect(seen.headers[name], name).to.equal(valuesOf(request, name));
			const version = service?.labels["version"];
			if (version !== undefined) expect(seen.workload).to.equal(version);
			return;
		}
	}
}

/** As Node.js joins what stands in several lines. */
function valuesOf({ headers }: SeenRequest, name: string): string | undefined {
	const values = headers.filter(([one]) => one === name);
	return values.length === 0
		? undefined
		: values.map(([, value]) => value).join(", ");
}
