import { createSecretKey, randomBytes } from "node:crypto";
import { expect } from "chai";
import { grpcStatus } from "../../src/lib/grpc-error.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { printAddress } from "../../src/net/address.ts";
import { type GrpcServer, serveGrpc } from "../../src/net/grpc-server.ts";
import { type Logger, silentLogger } from "../../src/observability/logger.ts";
import { mintToken } from "../../src/xds/proxy-token.ts";
import { adsMethods } from "../../src/xds/server/ads.ts";
import { authenticate } from "../../src/xds/server/authenticate.ts";
import {
	ConnectedProxies,
	type ProxyEvent,
} from "../../src/xds/server/connected-proxies.ts";
import { AdsConnection, type DeltaCall } from "../testkit/ads-client.ts";
import { MemoryResources, resource } from "../testkit/memory-resources.ts";

const workload = "default/client";

function node(suffix = "") {
	return { id: `sidecar~${workload}${suffix && `~${suffix}`}` };
}

describe("aggregated discovery service over gRPC", () => {
	const key = createSecretKey(randomBytes(32));
	const token = mintToken(
		{ workload, kind: "sidecar", expiresMs: Date.now() + 3_600_000 },
		key,
	);
	let resources: MemoryResources;
	let connected: ConnectedProxies;
	let server: GrpcServer;
	let connections: AdsConnection[];
	let events: ProxyEvent[];
	let sent: number;
	let warnings: string[];

	beforeEach(async () => {
		resources = new MemoryResources();
		connected = new ConnectedProxies();
		connections = [];
		events = [];
		sent = 0;
		warnings = [];
		connected.subscribe((event) => events.push(event));
		const log: Logger = {
			...silentLogger,
			warn: (message, fields) =>
				warnings.push(`${message} ${JSON.stringify(fields)}`),
			child: () => log,
		};
		server = await serveGrpc({
			listen: { host: "127.0.0.1", port: 0 },
			log,
			methods: adsMethods({
				directory: resources,
				authenticate: (peer, claims) =>
					authenticate({ peer, claims, key, nowMs: Date.now() }),
				connected,
				clock: systemClock,
				log,
				figures: {
					sent: () => {
						sent += 1;
					},
					acknowledged: () => {},
					rejected: () => {},
				},
			}),
		});
	});

	afterEach(async () => {
		for (const connection of connections) connection.close();
		await server[Symbol.asyncDispose]();
		expect(resources.attached).to.equal(0);
		expect(connected.size).to.equal(0);
	});

	function connect(): AdsConnection {
		const connection = new AdsConnection(printAddress(server.address));
		connections.push(connection);
		return connection;
	}

	/** A delta stream whose first request is for clusters. */
	function open(suffix = ""): DeltaCall {
		const call = connect().delta(token);
		call.ask("cluster", { node: node(suffix) });
		return call;
	}

	/** Resolves when an event of this kind has come, now or before. */
	async function seen<Op extends ProxyEvent["op"]>(
		op: Op,
		count = 1,
	): Promise<readonly Extract<ProxyEvent, { readonly op: Op }>[]> {
		const found = () =>
			events.filter(
				(event): event is Extract<ProxyEvent, { readonly op: Op }> =>
					event.op === op,
			);
		if (found().length < count) {
			await new Promise<void>((resolve) => {
				const stop = connected.subscribe(() => {
					if (found().length < count) return;
					stop();
					resolve();
				});
			});
		}
		return found();
	}

	function put(name: string, version?: string): void {
		resources.change([{ type: "cluster", put: resource(name, version) }]);
	}

	it("sends everything first and then only what changed", async () => {
		resources.change(
			Array.from({ length: 2000 }, (_, index) => ({
				type: "cluster",
				put: resource(`c${index}`),
			})),
		);
		const call = open();
		expect(await call.told()).to.have.length(2000);
		put("c7", "2");
		expect(await call.told()).to.deep.equal(["c7@2"]);
	});

	it("sends nothing again to a proxy that comes back with what it has", async () => {
		put("x");
		put("y");
		const first = open();
		await first.told();
		await seen("acknowledged");
		first.close();
		await seen("disconnected");
		put("y", "2");

		const again = connect().delta(token);
		again.ask("cluster", {
			node: node(),
			initialResourceVersions: { x: "1", y: "1" },
		});
		expect(await again.told()).to.deep.equal(["y@2"]);
		const [, resumed] = await seen("acknowledged", 2);
		expect(resumed?.delivery.resources).to.deep.equal([resource("x")]);
	});

	it("skips the versions that a slow proxy had no time for", async () => {
		put("x");
		const call = open();
		await call.told();
		await seen("acknowledged");
		call.pause();
		for (let version = 2; version <= 500; version += 1) {
			resources.change([
				{
					type: "cluster",
					put: {
						...resource("x", `${version}`),
						bytes: Buffer.alloc(1_000_000),
					},
				},
			]);
			// One turn of the event loop: each version could be written.
			await new Promise((resolve) => setImmediate(resolve));
		}
		// The initial state, and one that was not acknowledged: whatever comes then is only noted.
		expect(sent).to.be.at.most(2);
		call.resume();
		const versions: string[] = [];
		while (versions.at(-1) !== "x@500") versions.push(...(await call.told()));
		expect(versions).to.have.length(2);
	});

	it("sends nothing more to a proxy that acknowledges nothing, and goes on with others", async () => {
		put("x");
		const mute = open("mute");
		await mute.next();
		const other = open("other");
		await other.told();
		for (let version = 2; version < 50; version += 1) {
			put("x", `${version}`);
			expect(await other.told()).to.deep.equal([`x@${version}`]);
		}
		expect(mute.waiting).to.equal(0);
		const [status] = [...connected.all()]
			.filter(({ proxy }) => proxy.id.endsWith("mute"))
			.flatMap((proxy) => proxy.types());
		expect(status).to.deep.include({ sent: 1, acknowledged: 0 });
	});

	it("records what a proxy rejects and does not send it again", async () => {
		put("x");
		const call = open();
		await call.told();
		put("x", "2");
		await call.told("bad cluster");
		const [event] = await seen("rejected");
		expect(event?.rejection).to.deep.equal({
			type: "cluster",
			resources: [resource("x", "2")],
			condemned: [resource("x", "2")],
			removed: [],
			message: "bad cluster",
		});
		const [proxy] = connected.all();
		expect(proxy?.types()).to.have.length(1);
		expect(proxy?.types()[0]).to.deep.include({
			type: "cluster",
			wildcard: true,
			names: 0,
			sent: 1,
			acknowledged: 0,
		});
		expect(proxy?.types()[0]?.lastRejection).to.deep.include({
			message: "bad cluster",
			names: ["x"],
		});
		expect([...(proxy?.resources("cluster") ?? [])]).to.deep.equal([
			{ name: "x", sent: "2", acknowledged: "1", rejected: true },
		]);
		put("y");
		expect(await call.told()).to.deep.equal(["y@1"]);
	});

	it("takes requests of several types on one stream", async () => {
		resources.change([
			{ type: "cluster", put: resource("x") },
			{ type: "endpoint", put: resource("x") },
			{ type: "route", put: resource("r") },
			{ type: "virtualHost", put: resource("r/a") },
		]);
		const call = open();
		call.ask("endpoint", { resourceNamesSubscribe: ["x", "y"] });
		call.ask("route", { resourceNamesSubscribe: ["r"] });
		expect(await call.told()).to.deep.equal(["x@1"]);
		expect(await call.told()).to.deep.equal(["x@1", "-y"]);
		expect(await call.told()).to.deep.equal(["r@1"]);
		call.ask("virtualHost");
		expect(await call.told()).to.deep.equal(["r/a@1"]);
	});

	it("serves the state of the world", async () => {
		put("x");
		const call = connect().sotw(token);
		call.ask("cluster", { node: node() });
		const first = await call.next();
		expect(first.resources).to.have.length(1);
		call.ask("cluster", {
			versionInfo: first.versionInfo,
			responseNonce: first.nonce,
		});
		await seen("acknowledged");
		put("y");
		expect((await call.next()).resources).to.have.length(2);
	});

	it("answers a type that is not served once, empty, and reports it once", async () => {
		const typeUrl = "type.googleapis.com/envoy.service.runtime.v3.Runtime";
		for (const suffix of ["a", "b"]) {
			const call = open(suffix);
			await call.told();
			call.ask("cluster", { typeUrl, resourceNamesSubscribe: ["r"] });
			const answer = await call.next();
			expect(answer.typeUrl).to.equal(typeUrl);
			expect(answer.resources).to.deep.equal([]);
			call.ask("cluster", { typeUrl, responseNonce: answer.nonce });
			put(suffix);
			expect(await call.told()).to.include(`${suffix}@1`);
		}
		expect(warnings).to.have.length(1);
	});

	describe("refuses", () => {
		it("a proxy without a token", async () => {
			const call = connect().delta();
			call.ask("cluster", { node: node() });
			const { code, details } = await call.ended();
			expect(code).to.equal(grpcStatus.unauthenticated);
			expect(details).to.include("lateen bootstrap");
		});

		it("a proxy that claims to be another, and logs neither its token nor its metadata", async () => {
			const call = connect().delta(token);
			call.ask("cluster", {
				node: {
					id: "sidecar~default/other",
					metadata: { lateen: { secret: "do-not-log" } },
				},
			});
			const { code } = await call.ended();
			expect(code).to.equal(grpcStatus.permissionDenied);
			expect(warnings).to.have.length(1);
			expect(warnings.join()).not.to.include("do-not-log");
			expect(warnings.join()).not.to.include(token);
		});

		it("a proxy that does not say who it is", async () => {
			const call = connect().delta(token);
			call.ask("cluster");
			expect((await call.ended()).code).to.equal(grpcStatus.invalidArgument);
		});

		it("bytes that are no request, first or later, and serves others on", async () => {
			put("x");
			const other = open("other");
			await other.told();
			const first = connect().delta(token);
			first.write(randomBytes(1000).fill(0xff, 0, 1));
			expect((await first.ended()).code).to.equal(grpcStatus.invalidArgument);
			const later = open("later");
			await later.told();
			later.write(randomBytes(1000).fill(0xff, 0, 1));
			expect((await later.ended()).code).to.equal(grpcStatus.invalidArgument);
			put("x", "2");
			expect(await other.told()).to.deep.equal(["x@2"]);
		});

		it("a subscription to 100,000 names, and serves others on", async () => {
			put("x");
			const other = open("other");
			await other.told();
			const greedy = open("greedy");
			await greedy.told();
			greedy.ask("endpoint", {
				resourceNamesSubscribe: Array.from(
					{ length: 100_000 },
					(_, index) => `endpoint-${index}`,
				),
			});
			const { code, details } = await greedy.ended();
			expect(code).to.equal(grpcStatus.resourceExhausted);
			expect(details).to.include("20000 names");
			put("x", "2");
			expect(await other.told()).to.deep.equal(["x@2"]);
		});

		it("more streams of one proxy than it can need, and serves others on", async () => {
			put("x");
			const other = open("other");
			await other.told();
			const calls = Array.from({ length: 10 }, connect).flatMap((connection) =>
				Array.from({ length: 100 }, () => {
					const call = connection.delta(token);
					call.ask("cluster", { node: node("many") });
					return call;
				}),
			);
			// Sixteen are served; all others end.
			const refused = await Promise.all(
				calls.map((call) =>
					Promise.race([call.ended(), call.next().then(() => undefined)]),
				),
			);
			const codes = refused.flatMap((status) => status?.code ?? []);
			expect(codes).to.have.length(1000 - 16);
			expect(new Set(codes)).to.deep.equal(
				new Set([grpcStatus.resourceExhausted]),
			);
			put("x", "2");
			expect(await other.told()).to.deep.equal(["x@2"]);
		});
	});

	it("brings a change to 1,000 proxies", async () => {
		put("x");
		const calls = Array.from({ length: 20 }, connect).flatMap(
			(connection, group) =>
				Array.from({ length: 50 }, (_, index) => {
					const call = connection.delta(token);
					call.ask("cluster", { node: node(`${group}-${index}`) });
					return call;
				}),
		);
		await Promise.all(calls.map((call) => call.told()));
		await seen("acknowledged", 1000);
		put("x", "2");
		const told = await Promise.all(calls.map((call) => call.told()));
		expect(new Set(told.flat())).to.deep.equal(new Set(["x@2"]));
		expect(told).to.have.length(1000);
	});
});
