import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createSecretKey, randomBytes } from "node:crypto";
import { once } from "node:events";
import { promisify } from "node:util";
import { fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { DeltaDiscoveryRequestSchema } from "../../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import type { GrpcMethod } from "../../src/net/grpc-call.ts";
import { type GrpcServer, serveGrpc } from "../../src/net/grpc-server.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import {
	type BootstrapInput,
	generateBootstrap,
} from "../../src/xds/bootstrap.ts";
import { parseJsonObject } from "../../src/xds/json.ts";
import { parseNode } from "../../src/xds/parse-node.ts";
import { mintToken } from "../../src/xds/proxy-token.ts";
import {
	type Authentication,
	authenticate,
} from "../../src/xds/server/authenticate.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const run = promisify(execFile);
const key = createSecretKey(randomBytes(32));
const delta =
	"/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

/** What one stream of Envoy brought. */
interface SeenStream {
	readonly token: string | undefined;
	readonly answer: Authentication;
}

describe("the bootstrap of a real Envoy", () => {
	let envoy: string;
	let folder: TemporaryFolder;
	const processes: ChildProcess[] = [];
	const servers: GrpcServer[] = [];

	before(async () => {
		envoy = await ensureEnvoy();
	});

	beforeEach(() => {
		folder = new TemporaryFolder();
	});

	afterEach(async () => {
		for (const child of processes.splice(0)) {
			child.kill("SIGKILL");
			if (child.exitCode === null) await once(child, "exit");
		}
		for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
		folder[Symbol.dispose]();
	});

	function inputFor(server: BootstrapInput["server"]): BootstrapInput {
		return {
			workload: "default/reviews-v1",
			kind: "sidecar",
			attachment: "explicit",
			addresses: {
				outbound: "127.0.0.1:15001",
				inbound: [
					{
						listen: "127.0.0.1:9080",
						application: "127.0.0.1:4000",
						protocol: "http",
					},
				],
				tcp: [{ service: "mysql.default:3306", listen: "127.0.0.1:3306" }],
				gateway: [],
			},
			server,
			adminPort: 0,
			tokenFile: folder.at("token"),
			tokenSdsFile: folder.at("token-sds.json"),
		};
	}

	/** Writes the files that Envoy starts with; `change` may add to the bootstrap. */
	function writeFiles(
		input: BootstrapInput,
		change: (bootstrap: Record<string, unknown>) => void = () => {},
	): void {
		const { bootstrap, tokenSds } = generateBootstrap(input);
		const changed = { ...bootstrap };
		change(changed);
		folder.write("envoy.json", JSON.stringify(changed));
		folder.write("token-sds.json", JSON.stringify(tokenSds));
	}

	function token(expiresMs: number): string {
		const { workload, kind } = {
			workload: "default/reviews-v1",
			kind: "sidecar",
		} as const;
		return mintToken({ workload, kind, expiresMs }, key);
	}

	/** Serves ADS that authenticates and then ends each stream, so that Envoy comes again. */
	async function serve(
		listen:
			| { readonly host: string; readonly port: number }
			| { readonly path: string },
		seen: (stream: SeenStream) => void,
	): Promise<GrpcServer> {
		// biome-ignore lint/correctness/useYield: it has nothing to send.
		const method: GrpcMethod = async function* (requests, peer) {
			for await (const bytes of requests) {
				const { node } = fromBinary(DeltaDiscoveryRequestSchema, bytes);
				const parsed = parseNode({
					id: node?.id ?? "",
					metadata: node?.metadata,
				});
				if ("violations" in parsed) throw new Error("The node is refused.");
				const { claims } = parsed;
				seen({
					token: peer.bearerToken,
					answer: authenticate({ peer, claims, key, nowMs: 0 }),
				});
				return;
			}
		};
		const server = await serveGrpc({
			listen,
			methods: new Map([[delta, method]]),
			limits: { stopMs: 200 },
			log: silentLogger,
		});
		servers.push(server);
		return server;
	}

	function startEnvoy(): void {
		const child = spawn(
			envoy,
			[
				"-c",
				folder.at("envoy.json"),
				"-l",
				"critical",
				"--concurrency",
				"1",
				"--use-dynamic-base-id",
			],
			{ stdio: "ignore" },
		);
		processes.push(child);
	}

	it("connects, proves itself by its token, and sends the new token once the file is replaced", async () => {
		const first = Promise.withResolvers<SeenStream>();
		const renewed = Promise.withResolvers<SeenStream>();
		const [oldToken, newToken] = [token(1_000), token(2_000)];
		const { address } = await serve(
			{ host: "127.0.0.1", port: 0 },
			(stream) => {
				first.resolve(stream);
				if (stream.token !== oldToken) renewed.resolve(stream);
			},
		);
		writeFiles(inputFor(address));
		folder.write("token", oldToken);
		startEnvoy();

		const before = await first.promise;
		expect(before.token).to.equal(oldToken);
		expect(before.answer).to.deep.equal({
			proxy: {
				workload: "default/reviews-v1",
				id: "sidecar~default/reviews-v1",
				kind: "sidecar",
				attachment: "explicit",
				addresses: inputFor(address).addresses,
			},
		});

		folder.replace("token", newToken);
		const after = await renewed.promise;
		expect(after.token).to.equal(newToken);
		expect(after.answer).to.have.property("proxy");
	});

	it("connects over a Unix socket", async () => {
		const first = Promise.withResolvers<SeenStream>();
		const { address } = await serve(
			{ path: folder.at("xds.sock") },
			first.resolve,
		);
		writeFiles(inputFor(address));
		folder.write("token", token(1_000));
		startEnvoy();
		expect((await first.promise).answer).to.have.property("proxy");
	});

	it("connects to a name that stands for an address of each family", async () => {
		const first = Promise.withResolvers<SeenStream>();
		const { address } = await serve(
			{ host: "127.0.0.1", port: 0 },
			first.resolve,
		);
		if ("path" in address) throw new Error("It is a port.");
		writeFiles(inputFor({ host: "localhost", port: address.port }));
		folder.write("token", token(1_000));
		startEnvoy();
		expect((await first.promise).answer).to.have.property("proxy");
	});

	describe("is accepted by envoy --mode validate", () => {
		const server = { host: "127.0.0.1", port: 15010 };
		const none = { inbound: [], tcp: [], gateway: [] };
		const cases: readonly {
			readonly name: string;
			readonly input: Partial<BootstrapInput>;
		}[] = [
			{
				name: "for a captured sidecar",
				input: { attachment: "captured", addresses: none },
			},
			{
				name: "for a gateway with a locality and a guard for its memory",
				input: {
					workload: "default/edge",
					kind: "gateway",
					suffix: "a",
					addresses: { ...none, gateway: [{ listen: "0.0.0.0:8080" }] },
					locality: { region: "north", zone: "north-1" },
					maxHeapBytes: 500_000_000,
					maxConnections: 1_000,
				},
			},
			{
				name: "for one that is told to end by a file",
				input: { drainFile: "/tmp/lateen-drain" },
			},
		];
		for (const { name, input } of cases) {
			it(name, async () => {
				writeFiles({ ...inputFor(server), ...input });
				folder.write("token", token(1_000));
				await run(envoy, ["--mode", "validate", "-c", folder.at("envoy.json")]);
			});
		}

		it("with regexes as large as people write them", async () => {
			writeFiles(inputFor(server), (bootstrap) => {
				const clusters = parseJsonObject(bootstrap["static_resources"]);
				bootstrap["static_resources"] = {
					...clusters,
					listeners: [listenerWithRegex("/([a-z]{1,300}|[0-9]{1,300})/.*")],
				};
			});
			folder.write("token", token(1_000));
			await run(envoy, ["--mode", "validate", "-c", folder.at("envoy.json")]);
		});
	});
});

function listenerWithRegex(regex: string): object {
	const types = "type.googleapis.com/envoy.extensions.filters";
	return {
		name: "regex",
		address: { socket_address: { address: "127.0.0.1", port_value: 0 } },
		filter_chains: [
			{
				filters: [
					{
						name: "http",
						typed_config: {
							"@type": `${types}.network.http_connection_manager.v3.HttpConnectionManager`,
							stat_prefix: "regex",
							http_filters: [
								{
									name: "router",
									typed_config: { "@type": `${types}.http.router.v3.Router` },
								},
							],
							route_config: {
								virtual_hosts: [
									{
										name: "all",
										domains: ["*"],
										routes: [
											{
												match: { safe_regex: { regex } },
												direct_response: { status: 204 },
											},
										],
									},
								],
							},
						},
					},
				],
			},
		],
	};
}
