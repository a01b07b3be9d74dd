import { expect } from "chai";
import fc from "fast-check";
import {
	type BootstrapInput,
	generateBootstrap,
	generateGrpcBootstrap,
} from "./bootstrap.ts";
import { type JsonObject, parseJsonObject } from "./json.ts";
import { parseNodeId, printNodeId } from "./node-id.ts";
import { type NodeFields, parseNode } from "./parse-node.ts";
import type { ProxyAddresses } from "./proxy.ts";

const none: ProxyAddresses = { inbound: [], tcp: [], gateway: [] };

const input: BootstrapInput = {
	workload: "default/reviews-v1",
	kind: "sidecar",
	attachment: "explicit",
	addresses: {
		outbound: "127.0.0.1:15001",
		inbound: [
			{ listen: "127.0.0.1:9080", application: "[::1]:4000", protocol: "http" },
		],
		tcp: [
			{
				service: "mysql.default.svc.cluster.local:3306",
				listen: "127.0.0.1:1",
			},
		],
		gateway: [],
	},
	server: { host: "127.0.0.1", port: 15010 },
	adminPort: 0,
	tokenFile: "/run/lateen/reviews/token",
	tokenSdsFile: "/run/lateen/reviews/token-sds.json",
};

function nodeOf(bootstrap: JsonObject): NodeFields {
	const node = parseJsonObject(bootstrap["node"]);
	return { id: String(node?.["id"]), metadata: node?.["metadata"] };
}

describe("generateBootstrap", () => {
	it("says about the proxy what parseNode reads", () => {
		const { bootstrap } = generateBootstrap(input);
		expect(parseNode(nodeOf(bootstrap))).to.deep.equal({
			claims: {
				proxy: {
					workload: "default/reviews-v1",
					id: "sidecar~default/reviews-v1",
					kind: "sidecar",
					attachment: "explicit",
					addresses: input.addresses,
				},
				token: undefined,
			},
		});
	});

	it("names the token's file and not the token", () => {
		const { bootstrap, tokenSds } = generateBootstrap(input);
		expect(JSON.stringify(tokenSds)).to.contain(input.tokenFile);
		expect(JSON.stringify(bootstrap)).to.contain(input.tokenSdsFile);
	});

	it("says nothing of TLS without authorities to trust", () => {
		const { bootstrap, caSds } = generateBootstrap(input);
		expect(caSds).to.equal(undefined);
		expect(JSON.stringify(bootstrap)).not.to.contain("transport_socket");
	});

	const names = [
		{
			name: "a name",
			serverName: "lateen.lateen-system.svc",
			contains: ['"sni":"lateen.lateen-system.svc"', '"san_type":"DNS"'],
		},
		{
			name: "an address",
			serverName: "10.0.0.1",
			contains: ['"san_type":"IP_ADDRESS"', '"exact":"10.0.0.1"'],
		},
	];
	for (const { name, serverName, contains } of names) {
		it(`expects ${name} in the certificate, and the authorities in a file of their own`, () => {
			const { bootstrap, caSds } = generateBootstrap({
				...input,
				tls: {
					caFile: "/etc/lateen/ca.crt",
					caSdsFile: "/run/lateen/ca-sds.json",
					serverName,
				},
			});
			const text = JSON.stringify(bootstrap);
			for (const part of contains) expect(text).to.contain(part);
			expect(text.includes('"sni"')).to.equal(serverName.startsWith("lateen"));
			expect(text).to.contain("/run/lateen/ca-sds.json");
			expect(JSON.stringify(caSds)).to.contain("/etc/lateen/ca.crt");
		});
	}

	const servers = [
		{ name: "an address", server: { host: "::1", port: 1 }, type: "STATIC" },
		{ name: "a socket", server: { path: "/run/x.sock" }, type: "STATIC" },
		{
			name: "a name",
			server: { host: "lateen.mesh.svc", port: 1 },
			type: "STRICT_DNS",
		},
	] as const;
	for (const { name, server, type } of servers) {
		it(`reaches a control plane at ${name} by ${type}`, () => {
			const { bootstrap } = generateBootstrap({ ...input, server });
			expect(JSON.stringify(bootstrap)).to.contain(`"type":"${type}"`);
		});
	}
});

describe("generateGrpcBootstrap", () => {
	it("says about the client what parseNode reads, with the token", () => {
		const bootstrap = generateGrpcBootstrap({
			workload: "default/productpage-v1",
			suffix: "2",
			server: { host: "::1", port: 15010 },
			token: "secret",
		});
		expect(parseNode(nodeOf(bootstrap))).to.deep.equal({
			claims: {
				proxy: {
					workload: "default/productpage-v1",
					id: "grpc~default/productpage-v1~2",
					kind: "grpc",
					attachment: "explicit",
					addresses: none,
				},
				token: "secret",
			},
		});
		expect(JSON.stringify(bootstrap)).to.contain('"[::1]:15010"');
		expect(JSON.stringify(bootstrap)).to.contain('"type":"insecure"');
	});

	it("names the files of a client in a cluster, beside the token", () => {
		const bootstrap = generateGrpcBootstrap({
			workload: "default/productpage-v1",
			server: { host: "lateen.lateen-system.svc", port: 15012 },
			token: "secret",
			files: { ca: "/etc/lateen/ca.crt", token: "/run/token" },
		});
		expect(bootstrap["xds_servers"]).to.deep.equal([
			{
				server_uri: "lateen.lateen-system.svc:15012",
				channel_creds: [
					{
						type: "tls",
						config: { ca_certificate_file: "/etc/lateen/ca.crt" },
					},
				],
				call_creds: [
					{ type: "jwt_token_file", config: { jwt_token_file: "/run/token" } },
				],
				server_features: ["xds_v3"],
			},
		]);
		expect(parseNode(nodeOf(bootstrap))).to.have.nested.property(
			"claims.token",
			"secret",
		);
	});
});

describe("parseNodeId", () => {
	it("reads what printNodeId prints", () => {
		const name = fc.stringMatching(/^[a-z0-9-]{1,63}$/);
		fc.assert(
			fc.property(
				fc.constantFrom(
					"sidecar" as const,
					"gateway" as const,
					"grpc" as const,
				),
				name,
				name,
				fc.stringMatching(/^[A-Za-z0-9._-]{0,63}$/),
				(kind, namespace, own, suffix) => {
					const id = { kind, workload: `${namespace}/${own}`, suffix };
					expect(parseNodeId(printNodeId(id))).to.deep.equal(id);
				},
			),
		);
	});

	for (const id of [
		"",
		"sidecar",
		"sidecar~reviews",
		"sidecar~default/reviews/v1",
		"sidecar~Default/reviews",
		"router~default/reviews",
		"sidecar~default/reviews~a~b",
		"sidecar~default/reviews\n",
		"sidecar~10.0.0.5~reviews.default~default.svc.cluster.local",
	]) {
		it(`takes ${JSON.stringify(id)} for none of ours`, () => {
			expect(parseNodeId(id)).to.equal(undefined);
		});
	}
});

describe("parseNode", () => {
	const id = "sidecar~default/reviews-v1";
	const cases = [
		{ name: "an id of another mesh", id: "sidecar~1.2.3.4", path: "node.id" },
		{
			name: "an unknown attachment",
			own: { attachment: "magic" },
			path: "node.metadata.lateen.attachment",
		},
		{
			name: "an outbound address that is a name",
			own: { outbound: "localhost:15001" },
			path: "node.metadata.lateen.outbound",
		},
		{
			name: "an outbound port out of range",
			own: { outbound: "127.0.0.1:65536" },
			path: "node.metadata.lateen.outbound",
		},
		{
			name: "a list that is none",
			own: { inbound: "127.0.0.1:1" },
			path: "node.metadata.lateen.inbound",
		},
		{
			name: "an inbound entry without an application",
			own: { inbound: [{ listen: "127.0.0.1:1" }] },
			path: "node.metadata.lateen.inbound[0].application",
		},
		{
			name: "an unknown protocol",
			own: {
				inbound: [
					{
						listen: "127.0.0.1:1",
						application: "127.0.0.1:2",
						protocol: "smtp",
					},
				],
			},
			path: "node.metadata.lateen.inbound[0].protocol",
		},
		{
			name: "two listeners on one address",
			own: {
				outbound: "127.0.0.1:1",
				tcp: [{ service: "mysql.default:3306", listen: "127.0.0.1:1" }],
			},
			path: "node.metadata.lateen.tcp[0].listen",
		},
		{
			name: "a service without a port",
			own: { tcp: [{ service: "mysql.default", listen: "127.0.0.1:1" }] },
			path: "node.metadata.lateen.tcp[0].service",
		},
		{
			name: "too many TCP services",
			own: { tcp: Array.from({ length: 1_001 }, () => ({})) },
			path: "node.metadata.lateen.tcp",
		},
		{
			name: "a gateway that listens nowhere",
			id: "gateway~default/edge",
			own: {},
			path: "node.metadata.lateen.gateway",
		},
		{
			name: "a token that is no text",
			own: { token: 1 },
			path: "node.metadata.lateen.token",
		},
	] as const;
	for (const { name, path, ...node } of cases) {
		it(`refuses ${name}`, () => {
			const parsed = parseNode({
				id: "id" in node ? node.id : id,
				metadata: { lateen: "own" in node ? node.own : {} },
			});
			const violations = "violations" in parsed ? parsed.violations : [];
			expect(violations.map((violation) => violation.path)).to.deep.equal([
				path,
			]);
		});
	}

	it("reports every violation, up to twenty", () => {
		const wrong = Array.from({ length: 1_000 }, () => ({}));
		const parsed = parseNode({ id, metadata: { lateen: { tcp: wrong } } });
		expect("violations" in parsed && parsed.violations).to.have.length(20);
	});

	it("takes a sidecar that says nothing for a captured one", () => {
		const parsed = parseNode({ id });
		expect("claims" in parsed && parsed.claims.proxy).to.deep.equal({
			workload: "default/reviews-v1",
			id,
			kind: "sidecar",
			attachment: "captured",
			addresses: none,
		});
	});

	it("never throws, whatever a client sends", () => {
		fc.assert(
			fc.property(fc.string(), fc.jsonValue(), (text, metadata) => {
				parseNode({ id: text, metadata });
				parseNode({ id, metadata: { lateen: metadata } });
			}),
		);
	});
});
