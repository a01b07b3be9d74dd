import { expect } from "chai";
import {
	Cluster_DiscoveryType,
	ClusterSchema,
} from "../../gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import { UpstreamTlsContextSchema } from "../../gen/envoy/envoy/extensions/transport_sockets/tls/v3/tls_pb.js";
import { pack } from "./encode.ts";
import { loadPrinter, type Printer } from "./print.ts";

describe("loadPrinter", () => {
	let print: Printer;
	before(async () => {
		print = await loadPrinter();
	});

	it("prints what Envoy's documentation shows: its field names, enum names, durations and packed messages in full", () => {
		const { typeUrl, value } = pack(ClusterSchema, {
			name: "reviews",
			clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
			connectTimeout: { seconds: 5n },
			metadata: { filterMetadata: { lateen: { port: 9080 } } },
			transportSocket: {
				name: "envoy.transport_sockets.tls",
				configType: {
					case: "typedConfig",
					value: pack(UpstreamTlsContextSchema, { sni: "reviews" }),
				},
			},
		});
		expect(print(typeUrl, value)).to.deep.equal({
			name: "reviews",
			type: "EDS",
			connect_timeout: "5s",
			metadata: { filter_metadata: { lateen: { port: 9080 } } },
			transport_socket: {
				name: "envoy.transport_sockets.tls",
				typed_config: {
					"@type":
						"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
					sni: "reviews",
				},
			},
		});
	});

	it("refuses a type it does not know, naming it", () => {
		expect(() =>
			print("type.googleapis.com/example.Foreign", new Uint8Array()),
		).to.throw(Error, "example.Foreign");
	});
});
