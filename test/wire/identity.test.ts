import { expect } from "chai";
import { grpcStatus } from "../../src/lib/grpc-error.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { printAddress } from "../../src/net/address.ts";
import { type GrpcServer, serveGrpc } from "../../src/net/grpc-server.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { adsMethods } from "../../src/xds/server/ads.ts";
import type { AdsOptions } from "../../src/xds/server/ads-options.ts";
import type { Refusal } from "../../src/xds/server/authenticate.ts";
import { ConnectedProxies } from "../../src/xds/server/connected-proxies.ts";
import { AdsConnection, type DeltaCall } from "../testkit/ads-client.ts";
import { eventually } from "../testkit/eventually.ts";
import { MemoryResources, resource } from "../testkit/memory-resources.ts";

const refusal: Refusal = {
	status: grpcStatus.unauthenticated,
	refusal: "The pod is gone.",
};

describe("a stream whose proxy proves who it is by somebody else's word", () => {
	const resources = new MemoryResources();
	const connected = new ConnectedProxies();
	/** Of the proofs that are watched. */
	const watches = new Set<(refusal: Refusal) => void>();
	const cleanups: (() => void)[] = [];
	let authenticate: AdsOptions["authenticate"];
	let server: GrpcServer;

	before(async () => {
		resources.change([{ type: "cluster", put: resource("cluster-1") }]);
		server = await serveGrpc({
			listen: { host: "127.0.0.1", port: 0 },
			limits: { stopMs: 100 },
			log: silentLogger,
			methods: adsMethods({
				directory: resources,
				authenticate: (peer, claims) => authenticate(peer, claims),
				connected,
				clock: systemClock,
				log: silentLogger,
				limits: { maxStreamsPerProxy: 2 },
			}),
		});
	});

	beforeEach(() => {
		authenticate = async (_, { proxy }) => ({
			proxy,
			watch: (end) => {
				watches.add(end);
				return () => watches.delete(end);
			},
		});
	});

	afterEach(async () => {
		for (const cleanup of cleanups.splice(0)) cleanup();
		await eventually(() => expect(connected.size).to.equal(0));
		expect(watches.size).to.equal(0);
		expect(resources.attached).to.equal(0);
	});

	after(() => server[Symbol.asyncDispose]());

	function open(): DeltaCall {
		const connection = new AdsConnection(printAddress(server.address));
		const call = connection.delta("token");
		cleanups.push(() => {
			call.close();
			connection.close();
		});
		call.ask("cluster", { node: { id: "sidecar~default/client" } });
		return call;
	}

	it("is served once the word has come, and keeps what was asked meanwhile", async () => {
		const word = Promise.withResolvers<void>();
		const asked = Promise.withResolvers<void>();
		authenticate = async (_, { proxy }) => {
			asked.resolve();
			await word.promise;
			return { proxy };
		};
		const call = open();
		call.ask("listener");
		await asked.promise;
		expect(connected.size).to.equal(0);
		word.resolve();
		expect(await call.told()).to.have.length(1);
		await eventually(() =>
			expect(
				[...connected.all()][0]?.types().map(({ type }) => type),
			).to.include("listener"),
		);
	});

	it("ends with the status and the sentence when the proof no longer holds", async () => {
		const call = open();
		await call.told();
		for (const end of watches) end(refusal);
		expect(await call.ended()).to.deep.equal({
			code: grpcStatus.unauthenticated,
			details: "The pod is gone.",
		});
	});

	it("is refused with the status and the sentence", async () => {
		authenticate = async () => ({ ...refusal, status: grpcStatus.unavailable });
		expect(await open().ended()).to.deep.equal({
			code: grpcStatus.unavailable,
			details: "The pod is gone.",
		});
	});

	it("leaves nothing behind when the proxy goes before the word has come", async () => {
		const word = Promise.withResolvers<void>();
		const asked = Promise.withResolvers<void>();
		const over = Promise.withResolvers<void>();
		authenticate = async (_, { proxy }) => {
			asked.resolve();
			await word.promise;
			return {
				proxy,
				watch: () => () => over.resolve(),
			};
		};
		open().close();
		const call = open();
		await asked.promise;
		call.close();
		await eventually(() => expect(server.open().streams).to.equal(0));
		word.resolve();
		await over.promise;
		await eventually(() => expect(connected.size).to.equal(0));
	});

	it("counts among the streams of its proxy, also when all of them wait for the word together", async () => {
		const word = Promise.withResolvers<void>();
		let waiting = 0;
		authenticate = async (_, { proxy }) => {
			waiting += 1;
			await word.promise;
			return { proxy };
		};
		const calls = [open(), open(), open(), open()];
		await eventually(() => expect(waiting).to.equal(4));
		word.resolve();
		await eventually(() =>
			expect(
				calls.filter(
					({ status }) => status?.code === grpcStatus.resourceExhausted,
				),
			).to.have.length(2),
		);
		expect(connected.size).to.equal(2);
	});
});
