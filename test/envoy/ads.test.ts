import { type ChildProcess, spawn } from "node:child_process";
import { createSecretKey, randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import {
	Cluster_DiscoveryType,
	ClusterSchema,
} from "../../src/gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import { ApiVersion } from "../../src/gen/envoy/envoy/config/core/v3/config_source_pb.js";
import { ClusterLoadAssignmentSchema } from "../../src/gen/envoy/envoy/config/endpoint/v3/endpoint_pb.js";
import { ListenerSchema } from "../../src/gen/envoy/envoy/config/listener/v3/listener_pb.js";
import { VirtualHostSchema } from "../../src/gen/envoy/envoy/config/route/v3/route_components_pb.js";
import { RouteConfigurationSchema } from "../../src/gen/envoy/envoy/config/route/v3/route_pb.js";
import { RouterSchema } from "../../src/gen/envoy/envoy/extensions/filters/http/router/v3/router_pb.js";
import { HttpConnectionManagerSchema } from "../../src/gen/envoy/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.js";
import { systemClock } from "../../src/lib/system-clock.ts";
import { type GrpcServer, serveGrpc } from "../../src/net/grpc-server.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { generateBootstrap } from "../../src/xds/bootstrap.ts";
import { pack } from "../../src/xds/generate/encode.ts";
import { makeResource } from "../../src/xds/generate/make-resource.ts";
import { mintToken } from "../../src/xds/proxy-token.ts";
import type { ResourceType } from "../../src/xds/resource-type.ts";
import { adsMethods } from "../../src/xds/server/ads.ts";
import { authenticate } from "../../src/xds/server/authenticate.ts";
import {
	ConnectedProxies,
	type ProxyEvent,
} from "../../src/xds/server/connected-proxies.ts";
import {
	type MemoryChange,
	MemoryResources,
} from "../testkit/memory-resources.ts";

const ads = {
	resourceApiVersion: ApiVersion.V3,
	configSourceSpecifier: { case: "ads", value: {} },
} as const;

function cluster(name: string, connectSeconds = 1): MemoryChange {
	return {
		type: "cluster",
		put: makeResource(
			ClusterSchema,
			name,
			{
				name,
				connectTimeout: { seconds: BigInt(connectSeconds) },
				clusterDiscoveryType: {
					case: "type",
					value: Cluster_DiscoveryType.EDS,
				},
				edsClusterConfig: { edsConfig: ads },
			},
			[],
		),
	};
}

function endpoints(name: string, port: number): MemoryChange {
	const address = {
		case: "socketAddress",
		value: {
			address: "127.0.0.1",
			portSpecifier: { case: "portValue", value: port },
		},
	} as const;
	return {
		type: "endpoint",
		put: makeResource(
			ClusterLoadAssignmentSchema,
			name,
			{
				clusterName: name,
				endpoints: [
					{
						lbEndpoints: [
							{
								hostIdentifier: {
									case: "endpoint",
									value: { address: { address } },
								},
							},
						],
					},
				],
			},
			[],
		),
	};
}

function listener(name: string, route: string): MemoryChange {
	const manager = pack(HttpConnectionManagerSchema, {
		statPrefix: name,
		routeSpecifier: {
			case: "rds",
			value: { configSource: ads, routeConfigName: route },
		},
		httpFilters: [
			{
				name: "router",
				configType: { case: "typedConfig", value: pack(RouterSchema, {}) },
			},
		],
	});
	return {
		type: "listener",
		put: makeResource(
			ListenerSchema,
			name,
			{
				name,
				address: {
					address: {
						case: "socketAddress",
						value: {
							address: "127.0.0.1",
							portSpecifier: { case: "portValue", value: 0 },
						},
					},
				},
				filterChains: [
					{
						filters: [
							{
								name: "http",
								configType: { case: "typedConfig", value: manager },
							},
						],
					},
				],
			},
			[],
		),
	};
}

function route(name: string): MemoryChange {
	return {
		type: "route",
		put: makeResource(
			RouteConfigurationSchema,
			name,
			{ name, vhds: { configSource: ads } },
			[],
		),
	};
}

function virtualHost(name: string, domain: string, to: string): MemoryChange {
	return {
		type: "virtualHost",
		put: makeResource(
			VirtualHostSchema,
			name,
			{
				name,
				domains: [domain],
				routes: [
					{
						match: { pathSpecifier: { case: "prefix", value: "/" } },
						action: {
							case: "route",
							value: { clusterSpecifier: { case: "cluster", value: to } },
						},
					},
				],
			},
			[],
		),
	};
}

/** A server that answers every request with one word. */
async function backend(word: string): Promise<Server> {
	const server = createServer((_, response) => response.end(word));
	await new Promise<void>((resolve) => {
		server.listen(0, "127.0.0.1", resolve);
	});
	return server;
}

function portOf(server: Server): number {
	return (server.address() as AddressInfo).port;
}

/** Status and body of a GET. */
function get(
	port: number,
	path: string,
	host = "localhost",
): Promise<{ readonly status: number; readonly body: string }> {
	return new Promise((resolve, reject) => {
		const call = request(
			{ host: "127.0.0.1", port, path, headers: { host }, agent: false },
			(response) => {
				let body = "";
				response.setEncoding("utf8");
				response.on("data", (text) => {
					body += text;
				});
				response.on("end", () =>
					resolve({ status: response.statusCode ?? 0, body }),
				);
			},
		);
		call.on("error", reject);
		call.end();
	});
}

/** Repeats `attempt` until it gives something; the test's own time limit ends it. */
async function until<T>(attempt: () => Promise<T | undefined>): Promise<T> {
	for (;;) {
		const found = await attempt();
		if (found !== undefined) return found;
		await delay(20);
	}
}

describe("aggregated discovery service with a real Envoy", function () {
	this.timeout(30_000);

	const key = createSecretKey(randomBytes(32));
	const workload = "default/client";
	const resources = new MemoryResources();
	const connected = new ConnectedProxies();
	const events: ProxyEvent[] = [];
	/** `type count` of every response. */
	let responses: string[] = [];
	let server: GrpcServer;
	let one: Server;
	let two: Server;
	let folder: string;
	let envoy: ChildProcess;
	let envoyLog = "";
	let adminPort: number;

	function serve(port: number): Promise<GrpcServer> {
		return serveGrpc({
			listen: { host: "127.0.0.1", port },
			log: silentLogger,
			methods: adsMethods({
				directory: resources,
				authenticate: (peer, claims) =>
					authenticate({ peer, claims, key, nowMs: Date.now() }),
				connected,
				clock: systemClock,
				log: silentLogger,
				figures: {
					sent: (type, count) => responses.push(`${type} ${count}`),
					acknowledged: () => {},
					rejected: () => {},
				},
			}),
		});
	}

	/** Resolves when the proxy has acknowledged the current version of a resource. */
	function live(type: ResourceType, name: string): Promise<void> {
		const version = resources.get(type, name)?.version;
		return new Promise((resolve) => {
			const isLive = (): boolean =>
				[...connected.all()].some((proxy) =>
					[...proxy.resources(type)].some(
						(sent) => sent.name === name && sent.acknowledged === version,
					),
				);
			if (isLive()) resolve();
			const stop = connected.subscribe(() => {
				if (!isLive()) return;
				stop();
				resolve();
			});
		});
	}

	async function listenerPort(name: string): Promise<number> {
		return await until(async () => {
			const { body } = await get(adminPort, "/listeners?format=json");
			const { listener_statuses: statuses = [] } = JSON.parse(body) as {
				listener_statuses?: {
					name: string;
					local_address: { socket_address: { port_value: number } };
				}[];
			};
			return statuses.find((status) => status.name === name)?.local_address
				.socket_address.port_value;
		});
	}

	before(async () => {
		one = await backend("one");
		two = await backend("two");
		resources.change([
			cluster("one"),
			endpoints("one", portOf(one)),
			listener("l", "r"),
			route("r"),
			virtualHost("r/a", "a.test", "one"),
		]);
		connected.subscribe((event) => events.push(event));
		server = await serve(0);
		const { address } = server;
		if ("path" in address) throw new Error("It listens on a port.");
		folder = await mkdtemp(join(tmpdir(), "lateen-ads-"));
		const tokenFile = join(folder, "token");
		const tokenSdsFile = join(folder, "token.json");
		const files = generateBootstrap({
			workload,
			kind: "sidecar",
			attachment: "explicit",
			addresses: {
				outbound: "127.0.0.1:15001",
				inbound: [],
				tcp: [],
				gateway: [],
			},
			server: address,
			adminPort: 0,
			tokenFile,
			tokenSdsFile,
		});
		const expiresMs = Date.now() + 3_600_000;
		await writeFile(
			tokenFile,
			mintToken({ workload, kind: "sidecar", expiresMs }, key),
		);
		await writeFile(tokenSdsFile, JSON.stringify(files.tokenSds));
		const bootstrap = join(folder, "bootstrap.json");
		await writeFile(bootstrap, JSON.stringify(files.bootstrap));
		const adminFile = join(folder, "admin");
		envoy = spawn(
			await ensureEnvoy(),
			[
				...["-c", bootstrap, "--admin-address-path", adminFile],
				...["--concurrency", "1", "--use-dynamic-base-id", "-l", "warning"],
			],
			{ stdio: ["ignore", "ignore", "pipe"] },
		);
		envoy.stderr?.on("data", (text) => {
			envoyLog += text;
		});
		adminPort = await until(async () => {
			expect(envoy.exitCode, envoyLog).to.equal(null);
			const text = await readFile(adminFile, "utf8").catch(() => "");
			const port = Number(text.slice(text.lastIndexOf(":") + 1));
			return port > 0 ? port : undefined;
		});
		await until(async () => {
			const { status } = await get(adminPort, "/ready");
			return status === 200 ? true : undefined;
		});
	});

	after(async () => {
		envoy?.kill("SIGKILL");
		await server?.[Symbol.asyncDispose]();
		one?.close();
		two?.close();
		if (folder !== undefined) await rm(folder, { recursive: true });
	});

	afterEach(function () {
		if (this.currentTest?.state === "failed") {
			console.error(responses, envoyLog.slice(-2000));
		}
		responses = [];
	});

	it("configures it from nothing, in one response per type besides the pushed ones", async () => {
		await live("virtualHost", "r/a");
		const port = await listenerPort("l");
		expect(await get(port, "/", "a.test")).to.deep.equal({
			status: 200,
			body: "one",
		});
		expect(responses).to.deep.equal([
			"cluster 1",
			"endpoint 1",
			"listener 1",
			"route 1",
			"virtualHost 1",
		]);
	});

	it("moves a virtual host to a new cluster in one burst", async () => {
		resources.change([
			cluster("two"),
			endpoints("two", portOf(two)),
			virtualHost("r/a", "a.test", "two"),
		]);
		await live("virtualHost", "r/a");
		const port = await listenerPort("l");
		expect((await get(port, "/", "a.test")).body).to.equal("two");
		expect(responses.slice(0, 3)).to.deep.equal([
			"cluster 1",
			"endpoint 1",
			"virtualHost 1",
		]);
	});

	it("does not let an updated cluster wait for endpoints that have not changed", async () => {
		const startedMs = performance.now();
		resources.change([cluster("two", 2)]);
		await live("cluster", "two");
		// Without the pushed endpoints Envoy warms the cluster for as long as it may fetch: here for ever.
		expect(performance.now() - startedMs).to.be.lessThan(5000);
		expect(responses).to.deep.equal(["cluster 1", "endpoint 1"]);
	});

	it("brings a second route configuration to life, for which Envoy asks no virtual hosts", async () => {
		resources.change([
			listener("m", "s"),
			route("s"),
			virtualHost("s/b", "b.test", "one"),
		]);
		await live("listener", "m");
		const port = await listenerPort("m");
		expect((await get(port, "/", "b.test")).body).to.equal("one");
	});

	it("brings a route configuration without virtual hosts to life", async () => {
		resources.change([listener("n", "t"), route("t")]);
		await live("listener", "n");
		const port = await listenerPort("n");
		expect((await get(port, "/", "b.test")).status).to.equal(404);
	});

	it("removes a cluster after the virtual host that pointed there", async () => {
		resources.change([
			virtualHost("s/b", "b.test", "two"),
			{ type: "cluster", remove: "one" },
			{ type: "endpoint", remove: "one" },
		]);
		await until(async () => {
			const { body } = await get(adminPort, "/clusters");
			return /^one::/m.test(body) ? undefined : true;
		});
		expect(responses.slice(0, 2)).to.deep.equal(["virtualHost 1", "cluster 1"]);
		const port = await listenerPort("m");
		expect((await get(port, "/", "b.test")).body).to.equal("two");
	});

	it("reports what Envoy refuses, in its words, and goes on with other things", async () => {
		const bad = virtualHost("r/bad", "a.test", "two");
		resources.change([bad]);
		const event = await until(async () =>
			events.find(({ op }) => op === "rejected"),
		);
		expect(event.op === "rejected" && event.rejection).to.deep.include({
			type: "virtualHost",
			resources: ["put" in bad ? bad.put : undefined],
		});
		expect(event.op === "rejected" && event.rejection.message).to.include(
			"a.test",
		);
		resources.change([{ type: "virtualHost", remove: "r/bad" }]);
		resources.change([cluster("two", 3)]);
		await live("cluster", "two");
	});

	it("resumes on a new server without being sent anything again", async () => {
		const { address } = server;
		await server[Symbol.asyncDispose]();
		const port = await listenerPort("l");
		expect((await get(port, "/", "a.test")).body).to.equal("two");
		responses = [];
		events.length = 0;
		server = await serve("port" in address ? address.port : 0);
		await live("virtualHost", "s/b");
		// That the third route configuration has no virtual hosts is said on every stream.
		await until(async () => responses.includes("virtualHost 1") || undefined);
		resources.change([virtualHost("r/a", "a2.test", "two")]);
		await live("virtualHost", "r/a");
		expect((await get(port, "/", "a2.test")).body).to.equal("two");
		expect(responses.filter((text) => !text.endsWith(" 0"))).to.deep.equal([
			"virtualHost 1",
			"virtualHost 1",
		]);
	});
});
