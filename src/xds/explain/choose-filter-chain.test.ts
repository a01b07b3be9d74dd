import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "chai";
import type { FilterChainMatchSchema } from "../../gen/envoy/envoy/config/listener/v3/listener_components_pb.js";
import { ListenerSchema } from "../../gen/envoy/envoy/config/listener/v3/listener_pb.js";
import { chooseFilterChain } from "./choose-filter-chain.ts";
import type { Connection } from "./connection.ts";

const plain: Connection = {
	destination: "10.1.2.3",
	port: 5432,
	serverName: "",
	transport: "raw_buffer",
	applicationProtocols: [],
};

type Match = MessageInitShape<typeof FilterChainMatchSchema>;

function choose(
	chains: Readonly<Record<string, Match>>,
	connection: Partial<Connection> = {},
): string | undefined {
	const listener = create(ListenerSchema, {
		filterChains: Object.entries(chains).map(([name, filterChainMatch]) => ({
			name,
			filterChainMatch,
		})),
		defaultFilterChain: { name: "left over" },
	});
	return chooseFilterChain(listener, { ...plain, ...connection }).chain?.name;
}

const subnet = (addressPrefix: string, prefixLen: number) => ({
	prefixRanges: [{ addressPrefix, prefixLen }],
});

describe("chooseFilterChain", () => {
	it("takes the narrowest subnet that has the destination", () => {
		const chains = {
			wide: subnet("10.0.0.0", 8),
			narrow: subnet("10.1.0.0", 16),
			other: subnet("10.2.0.0", 16),
			any: {},
		};
		expect(choose(chains)).to.equal("narrow");
		expect(choose(chains, { destination: "10.9.0.1" })).to.equal("wide");
		expect(choose(chains, { destination: "192.0.2.1" })).to.equal("any");
		expect(choose(chains, { destination: undefined })).to.equal("any");
	});

	it("takes the exact server name, then the longest wildcard", () => {
		const tls = { transportProtocol: "tls" };
		const chains = {
			wild: { ...tls, serverNames: ["*.example.com"] },
			longer: { ...tls, serverNames: ["*.api.example.com"] },
			exact: { ...tls, serverNames: ["x.api.example.com"] },
		};
		const to = (serverName: string) =>
			choose(chains, { serverName, transport: "tls" });
		expect(to("x.api.example.com")).to.equal("exact");
		expect(to("y.api.example.com")).to.equal("longer");
		expect(to("www.example.com")).to.equal("wild");
		expect(to("example.org")).to.equal("left over");
		expect(choose(chains)).to.equal("left over");
	});

	it("tells HTTP from other plain text", () => {
		const chains = {
			http: {
				transportProtocol: "raw_buffer",
				applicationProtocols: ["http/1.1", "h2c"],
			},
			tcp: { transportProtocol: "raw_buffer" },
			tls: {},
		};
		expect(choose(chains, { applicationProtocols: ["http/1.1"] })).to.equal(
			"http",
		);
		expect(choose(chains)).to.equal("tcp");
		expect(choose(chains, { transport: "tls" })).to.equal("tls");
	});

	it("never goes back: a chain for the port hides those that say more about the rest", () => {
		const chains = {
			port: { destinationPort: 5432, ...subnet("192.0.2.0", 24) },
			subnet: subnet("10.1.0.0", 16),
		};
		expect(choose(chains)).to.equal("left over");
		const http = {
			transportProtocol: "raw_buffer",
			applicationProtocols: ["http/1.1"],
		};
		expect(choose({ http, any: {} })).to.equal("left over");
	});
});
