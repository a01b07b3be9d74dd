import { createSecretKey, randomBytes } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { register } from "@grpc/grpc-js-xds";
import { expect } from "chai";
import { DiscoveryRequestSchema } from "../../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import type { Address } from "../../src/net/address.ts";
import type { GrpcMethod } from "../../src/net/grpc-call.ts";
import { serveGrpc } from "../../src/net/grpc-server.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { generateGrpcBootstrap } from "../../src/xds/bootstrap.ts";
import { parseNode } from "../../src/xds/parse-node.ts";
import { mintToken } from "../../src/xds/proxy-token.ts";
import {
	type Authentication,
	authenticate,
} from "../../src/xds/server/authenticate.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const workload = "default/productpage-v1";
const stateOfTheWorld =
	"/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";

describe("the bootstrap of a proxyless gRPC client", () => {
	before(() => register());

	const cases = [
		{ name: "over TCP", listen: () => ({ host: "127.0.0.1", port: 0 }) },
		{
			name: "over a Unix socket",
			listen: (folder: TemporaryFolder) => ({ path: folder.at("xds.sock") }),
		},
	] as const;
	for (const { name, listen } of cases) {
		it(`makes @grpc/grpc-js-xds connect ${name} and prove itself by its token`, async () => {
			using folder = new TemporaryFolder();
			const key = createSecretKey(randomBytes(32));
			const seen = Promise.withResolvers<Authentication>();
			// biome-ignore lint/correctness/useYield: it has nothing to send.
			const method: GrpcMethod = async function* (requests, peer) {
				for await (const bytes of requests) {
					const { node } = fromBinary(DiscoveryRequestSchema, bytes);
					if (node === undefined) continue;
					const parsed = parseNode(node);
					if ("violations" in parsed) throw new Error("The node is refused.");
					const { claims } = parsed;
					seen.resolve(authenticate({ peer, claims, key, nowMs: 0 }));
				}
			};
			const address: Address = listen(folder);
			await using server = await serveGrpc({
				listen: address,
				methods: new Map([[stateOfTheWorld, method]]),
				limits: { stopMs: 200 },
				log: silentLogger,
			});
			const bootstrap = generateGrpcBootstrap({
				workload,
				server: server.address,
				token: mintToken({ workload, kind: "grpc", expiresMs: 1_000 }, key),
			});
			const client = new Client(
				"xds:///reviews.default:9080",
				credentials.createInsecure(),
				{
					"grpc.TEST_ONLY_DO_NOT_USE_IN_PROD.xds_bootstrap_config":
						JSON.stringify(bootstrap),
				},
			);
			client.waitForReady(Date.now() + 10_000, () => {});
			const answer = await seen.promise;
			client.close();
			expect(answer)
				.to.have.property("proxy")
				.that.deep.includes({
					workload,
					id: "grpc~default/productpage-v1",
					kind: "grpc",
					attachment: "explicit",
					addresses: { inbound: [], tcp: [], gateway: [] },
				});
			expect(answer)
				.to.have.nested.property("proxy.software")
				.that.matches(/^gRPC Node/);
		});
	}
});
