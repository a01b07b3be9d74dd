/**
 * Captured sidecars, live: namespaces with iptables rules as a Pod has them,
 * real Envoys, the program as people run it. Clients and applications know
 * nothing of a proxy. IPv4 only.
 */
import { expect } from "chai";
import { CapturedMesh, type CapturedPod } from "../../testkit/captured-mesh.ts";
import { eventually } from "../../testkit/eventually.ts";
import type {
	HttpAnswer,
	HttpAsk,
	Place,
	Seen,
} from "../../testkit/namespace-programs.ts";
import type { NetworkNamespace } from "../../testkit/network-namespace.ts";
import { captureObstacle, PodNetwork } from "../../testkit/pod-network.ts";

const obstacle = await captureObstacle();

/** Where a connection comes from that a proxy hands to its application. */
const byProxy = "127.0.0.6";
const v1 = "10.1.0.11";
const v2 = "10.1.0.12";
const { elsewhere } = PodNetwork;

/** Virtual addresses of the Services; nothing has them. */
const vip = {
	reviews: "10.96.0.10",
	web: "10.96.0.11",
	db: "10.96.0.20",
	mail: "10.96.0.21",
	rpc: "10.96.0.25",
	sniffedHttp: "10.96.0.30",
	sniffedMail: "10.96.0.31",
	sniffedEcho: "10.96.0.32",
	only: "10.96.0.40",
	api: "203.0.113.10",
} as const;

interface TestService {
	readonly name: string;
	readonly clusterIP: string;
	readonly port: string;
	readonly number: number;
	readonly target: number;
	readonly pods?: readonly string[];
}

function serviceYaml(service: TestService): string {
	const { name, clusterIP, port, number, target } = service;
	const pods = service.pods ?? ["reviews-v1", "reviews-v2"];
	const endpoints = pods.map(
		(pod) =>
			`{addresses: [${pod === "reviews-v1" ? v1 : v2}], targetRef: {kind: Pod, name: ${pod}, namespace: default}}`,
	);
	return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec:
  clusterIP: ${clusterIP}
  selector: {app: reviews${pods.length === 1 ? ", version: v1" : ""}}
  ports: [{name: ${port}, port: ${number}, targetPort: ${target}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: default, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv4
ports: [{name: ${port}, port: ${target}}]
endpoints: [${endpoints.join(", ")}]
---
`;
}

function podYaml(name: string, address: string, labels: string): string {
	return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: default, labels: ${labels}}
spec: {containers: [{name: app}]}
status: {podIP: ${address}}
---
`;
}

const services: readonly TestService[] = [
	{
		name: "reviews",
		clusterIP: vip.reviews,
		port: "http",
		number: 80,
		target: 9080,
	},
	{ name: "web", clusterIP: vip.web, port: "http", number: 8080, target: 8080 },
	{ name: "db", clusterIP: vip.db, port: "tcp", number: 3306, target: 13306 },
	{ name: "mail", clusterIP: vip.mail, port: "tcp", number: 25, target: 2525 },
	{
		name: "rpc",
		clusterIP: vip.rpc,
		port: "grpc",
		number: 50051,
		target: 50051,
	},
	{ name: "cache", clusterIP: "None", port: "tcp", number: 6379, target: 6379 },
	{
		name: "sniffed-http",
		clusterIP: vip.sniffedHttp,
		port: "any",
		number: 7000,
		target: 7000,
	},
	{
		name: "sniffed-mail",
		clusterIP: vip.sniffedMail,
		port: "any",
		number: 7000,
		target: 7001,
	},
	{
		name: "sniffed-echo",
		clusterIP: vip.sniffedEcho,
		port: "any",
		number: 7000,
		target: 7002,
	},
	{
		name: "only",
		clusterIP: vip.only,
		port: "http",
		number: 80,
		target: 9080,
		pods: ["reviews-v1"],
	},
];

const objects = `${services.map(serviceYaml).join("")}${podYaml("client", "10.1.0.10", "{app: client}")}${podYaml("reviews-v1", v1, "{app: reviews, version: v1}")}${podYaml("reviews-v2", v2, "{app: reviews, version: v2}")}apiVersion: lateen.dev/v1alpha1
kind: ExternalService
metadata: {name: api, namespace: default}
spec:
  hosts: [api.example.com]
  addresses: [${vip.api}]
  resolution: Static
  ports:
  - {number: 80, name: http, protocol: HTTP}
  - {number: 5432, name: tcp, protocol: TCP}
  endpoints: [{address: ${elsewhere}, ports: {http: 8081, tcp: 8082}}]
---
apiVersion: lateen.dev/v1alpha1
kind: ExternalService
metadata: {name: ledger, namespace: default}
spec:
  hosts: [ledger.example.com]
  addresses: [${elsewhere}]
  resolution: None
  ports: [{number: 9443, name: tcp, protocol: TCP}]
---
apiVersion: lateen.dev/v1alpha1
kind: ExternalService
metadata: {name: vault, namespace: default}
spec:
  hosts: [vault.example.com]
  resolution: Static
  ports: [{number: 443, name: tls, protocol: TLS}]
  endpoints: [{address: ${elsewhere}, ports: {tls: 8443}}]
`;

describe("captured sidecars", function () {
	this.timeout(60_000);
	if (obstacle !== undefined) {
		it.skip(`are not tried here. ${obstacle}`);
		return;
	}
	let mesh: CapturedMesh;
	let client: CapturedPod;
	let reviews1: CapturedPod;
	let reviews2: CapturedPod;
	let outside: NetworkNamespace;

	before(async () => {
		mesh = await CapturedMesh.start(objects);
		outside = mesh.network.outside;
		[client, reviews1, reviews2] = await Promise.all([
			mesh.pod("client", "10.1.0.10"),
			mesh.pod("reviews-v1", v1),
			mesh.pod("reviews-v2", v2),
		]);
		await Promise.all([
			...[reviews1, reviews2].map(startApplications),
			outside.call("serveHttp", {
				name: "elsewhere",
				address: elsewhere,
				port: 80,
			}),
			outside.call("serveHttp", {
				name: "api",
				address: elsewhere,
				port: 8081,
			}),
			outside.call("serveTcp", {
				name: "api",
				address: elsewhere,
				port: 8082,
				speaksFirst: false,
			}),
			outside.call("serveTcp", {
				name: "elsewhere",
				address: elsewhere,
				port: 9999,
				speaksFirst: true,
			}),
			outside.call("serveTcp", {
				name: "vault",
				address: elsewhere,
				port: 8443,
				speaksFirst: false,
			}),
			outside.call("serveTcp", {
				name: "elsewhere",
				address: elsewhere,
				port: 443,
				speaksFirst: false,
			}),
			outside.call("serveTcp", {
				name: "ledger",
				address: elsewhere,
				port: 9443,
				speaksFirst: false,
			}),
			outside.call("serveTcp", {
				name: "other",
				address: elsewhere,
				port: 9444,
				speaksFirst: false,
			}),
		]);
	});

	after(async () => {
		await mesh?.[Symbol.asyncDispose]();
	});

	async function startApplications({
		name,
		address,
		namespace,
	}: CapturedPod): Promise<void> {
		// An application of a Pod listens on all its addresses, or on the Pod's.
		const everywhere = { name, address: "0.0.0.0" };
		await Promise.all([
			namespace.call("serveHttp", { ...everywhere, port: 9080 }),
			namespace.call("serveHttp", { name, address, port: 8080 }),
			namespace.call("serveHttp", { ...everywhere, port: 7000 }),
			namespace.call("serveTcp", {
				...everywhere,
				port: 13306,
				speaksFirst: false,
			}),
			namespace.call("serveTcp", {
				...everywhere,
				port: 6379,
				speaksFirst: false,
			}),
			namespace.call("serveTcp", {
				...everywhere,
				port: 2525,
				speaksFirst: true,
			}),
			namespace.call("serveTcp", {
				...everywhere,
				port: 7001,
				speaksFirst: true,
			}),
			namespace.call("serveTcp", {
				...everywhere,
				port: 7002,
				speaksFirst: false,
			}),
			namespace.call("serveGrpc", { ...everywhere, port: 50051 }),
		]);
	}

	async function asked(ask: HttpAsk, from = client.namespace): Promise<Seen> {
		return seen(await from.call("ask", ask));
	}

	/** Names of the applications that answered so many requests. */
	async function answerers(
		times: number,
		ask: HttpAsk,
	): Promise<Map<string, number>> {
		const counts = new Map<string, number>();
		const answers = await Promise.all(
			Array.from({ length: times }, () => asked(ask)),
		);
		for (const { application } of answers) {
			counts.set(application, (counts.get(application) ?? 0) + 1);
		}
		return counts;
	}

	async function said(
		place: Place,
		say?: string,
		from = client.namespace,
	): Promise<string> {
		const talk = await from.call("talk", {
			...place,
			...(say === undefined ? {} : { say }),
		});
		if (talk.kind === "closed") throw new Error(`closed: ${talk.why}`);
		return talk.text;
	}

	describe("HTTP", () => {
		it("reaches a Service by its address and its name, on another port than the application's", async () => {
			for (const host of [
				"reviews",
				"reviews.default",
				"reviews.default.svc.cluster.local",
				"reviews:80",
				vip.reviews,
			]) {
				const { application, from, headers } = await asked({
					address: vip.reviews,
					port: 80,
					headers: { host },
				});
				expect(application).to.match(/^reviews-v[12]$/);
				expect(from).to.equal(byProxy);
				expect(headers["host"]).to.equal(host);
			}
		});

		it("goes by the Host and not by the address", async () => {
			const { application, from } = await asked({
				address: vip.only,
				port: 80,
				headers: { host: "reviews" },
			});
			expect(application).to.match(/^reviews-v[12]$/);
			expect(from).to.equal(byProxy);
			const unknown = await asked({
				address: "10.96.99.99",
				port: 80,
				headers: { host: "only" },
			});
			expect(unknown.application).to.equal("reviews-v1");
		});

		it("follows a RouteRule: a header chooses v2, weights divide the rest", async () => {
			mesh.write(
				"rule.yaml",
				`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: jason, namespace: default}
spec:
  destination: {name: reviews}
  precedence: 10
  match: [{headers: {x-user: jason}}]
  route: [{labels: {version: v2}}]
---
apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: split, namespace: default}
spec:
  destination: {name: reviews}
  route: [{labels: {version: v1}, weight: 80}, {labels: {version: v2}, weight: 20}]
`,
			);
			const jason = {
				address: vip.reviews,
				port: 80,
				headers: { host: "reviews", "x-user": "jason" },
			};
			await eventually(async () => {
				expect(await answerers(10, jason)).to.deep.equal(
					new Map([["reviews-v2", 10]]),
				);
			});
			const counts = await answerers(300, {
				address: vip.reviews,
				port: 80,
				headers: { host: "reviews" },
			});
			// Six standard deviations of 300 draws with probability 0.2 are 42.
			expect(counts.get("reviews-v2")).to.be.within(18, 102);
			expect(
				(counts.get("reviews-v1") ?? 0) + (counts.get("reviews-v2") ?? 0),
			).to.equal(300);
			mesh.remove("rule.yaml");
		});

		it("applies a RouteRule also where the Host is the Service's address", async () => {
			mesh.write(
				"rule.yaml",
				`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: answer, namespace: default}
spec:
  destination: {name: reviews}
  respond: {status: 418, body: from the rule}
`,
			);
			await eventually(async () => {
				const { status, body } = await client.namespace.call("ask", {
					address: vip.reviews,
					port: 80,
				});
				expect({ status, body }).to.deep.equal({
					status: 418,
					body: "from the rule",
				});
			});
			mesh.remove("rule.yaml");
			await eventually(() => asked({ address: vip.reviews, port: 80 }));
		});

		it("takes HTTP/2 without TLS and gRPC", async () => {
			const answer = await client.namespace.call("askHttp2", {
				address: vip.web,
				port: 8080,
				headers: { host: "web:8080" },
			});
			expect(seen(answer).from).to.equal(byProxy);
			const said = await client.namespace.call("askGrpc", {
				address: vip.rpc,
				port: 50051,
				authority: "rpc:50051",
				say: "hello",
			});
			expect(said).to.match(/^reviews-v[12] hello$/);
		});

		it("lets a WebSocket through", async () => {
			const { status, text } = await client.namespace.call("upgrade", {
				...{ address: vip.reviews, port: 80, headers: { host: "reviews" } },
				...{ protocol: "websocket", say: "ping" },
			});
			expect(status).to.equal(101);
			expect(text).to.match(/^reviews-v[12] ping$/);
		});

		it("passes to one Pod by its own address", async () => {
			for (const { name, address } of [reviews1, reviews2]) {
				// 8080 is a port of an HTTP Service, 9080 of none.
				for (const port of [8080, 9080]) {
					const { application, from } = await asked({ address, port });
					expect({ application, from }).to.deep.equal({
						application: name,
						from: byProxy,
					});
				}
			}
		});

		it("is recognised on a port that does not say what it speaks", async () => {
			const { application, headers } = await asked({
				address: vip.sniffedHttp,
				port: 7000,
				headers: { host: "sniffed-http:7000" },
			});
			expect(application).to.match(/^reviews-v[12]$/);
			// Only a proxy that took it for HTTP adds this.
			expect(headers["x-request-id"]).to.be.a("string");
		});

		it("reaches an ExternalService by its address", async () => {
			for (const host of ["api.example.com", vip.api]) {
				const { application } = await asked({
					address: vip.api,
					port: 80,
					headers: { host },
				});
				expect(application).to.equal("api");
			}
		});
	});

	describe("TCP", () => {
		it("reaches a Service by its address, on another port than the application's", async () => {
			expect(await said({ address: vip.db, port: 3306 }, "select")).to.match(
				/^reviews-v[12] 127\.0\.0\.6 select$/,
			);
		});

		it("follows the weights of a RouteRule", async () => {
			mesh.write(
				"rule.yaml",
				`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: db, namespace: default}
spec:
  destination: {name: db}
  route: [{labels: {version: v1}, weight: 0}, {labels: {version: v2}, weight: 1}]
`,
			);
			await eventually(async () => {
				const all = await Promise.all(
					Array.from({ length: 10 }, () =>
						said({ address: vip.db, port: 3306 }, "x"),
					),
				);
				expect(new Set(all)).to.deep.equal(
					new Set([`reviews-v2 ${byProxy} x`]),
				);
			});
			mesh.write(
				"rule.yaml",
				`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: db, namespace: default}
spec:
  destination: {name: db}
  route: [{labels: {version: v1}, weight: 80}, {labels: {version: v2}, weight: 20}]
`,
			);
			await eventually(async () => {
				const all = await Promise.all(
					Array.from({ length: 300 }, () =>
						said({ address: vip.db, port: 3306 }, "x"),
					),
				);
				// Six standard deviations of 300 draws with probability 0.2 are 42.
				expect(
					all.filter((text) => text.startsWith("reviews-v2")).length,
				).to.be.within(18, 102);
			});
			mesh.remove("rule.yaml");
		});

		it("follows the server name of TLS and the source, rule by rule", async () => {
			mesh.write(
				"rule.yaml",
				`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: by-source, namespace: default}
spec:
  destination: {name: db}
  precedence: 10
  match: [{tcp: {sourceSubnets: [${v1}/32]}}]
  route: [{labels: {version: v1}}]
---
apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: by-name, namespace: default}
spec:
  destination: {name: db}
  match: [{tcp: {sni: ["*.two.example"], sourceSubnets: [10.1.0.0/24]}}]
  route: [{labels: {version: v2}}]
---
apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: rest, namespace: default}
spec:
  destination: {name: db}
  precedence: -10
  route: [{labels: {version: v1}}]
`,
			);
			const answerer = async (from: NetworkNamespace, serverName?: string) => {
				const talk = await from.call("talk", {
					...{ address: vip.db, port: 3306 },
					...(serverName === undefined ? { say: "select" } : { serverName }),
				});
				return talk.kind === "said" ? talk.text.split(" ")[0] : talk.kind;
			};
			await settles(async () => {
				for (const [from, serverName, want] of [
					[client.namespace, "db.two.example", "reviews-v2"],
					[client.namespace, "db.example", "reviews-v1"],
					[client.namespace, undefined, "reviews-v1"],
					[reviews1.namespace, "db.two.example", "reviews-v1"],
				] as const) {
					expect(await answerer(from, serverName)).to.equal(want);
				}
			});
			mesh.remove("rule.yaml");
		});

		it("finds an ExternalService without address by the server name of TLS", async () => {
			const place = { address: elsewhere, port: 443 };
			for (const [serverName, answerer] of [
				["vault.example.com", "vault"],
				["other.example.com", "elsewhere"],
			] as const) {
				const talk = await client.namespace.call("talk", {
					...place,
					serverName,
				});
				if (talk.kind === "closed") throw new Error(talk.why);
				expect(talk.text.split(" ")[0]).to.equal(answerer);
			}
		});

		it("does not wait where the server speaks first and the port says TCP", async () => {
			// A wait would hold back every talk; a busy machine does only some.
			await eventually(async () => {
				const talk = await client.namespace.call("talk", {
					address: vip.mail,
					port: 25,
				});
				if (talk.kind === "closed") throw new Error(talk.why);
				expect(talk.text).to.match(/^reviews-v[12] 127\.0\.0\.6 welcome$/);
				expect(talk.afterMs).to.be.below(800);
			});
		});

		it("works on a port that does not say what it speaks, whoever speaks first", async () => {
			expect(
				await said({ address: vip.sniffedEcho, port: 7000 }, "hello"),
			).to.match(/^reviews-v[12] 127\.0\.0\.6 hello$/);
			expect(await said({ address: vip.sniffedMail, port: 7000 })).to.match(
				/^reviews-v[12] 127\.0\.0\.6 welcome$/,
			);
		});

		it("follows a rule for connections on such a port, and HTTP goes its own way there", async () => {
			mesh.write(
				"rule.yaml",
				["sniffed-echo", "sniffed-http"]
					.map(
						(name) => `apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: ${name}, namespace: default}
spec:
  destination: {name: ${name}}
  match: [{tcp: {destinationSubnets: [10.96.0.0/16]}}]
  route: [{labels: {version: v2}}]
`,
					)
					.join("---\n"),
			);
			await settles(async () => {
				const place = { address: vip.sniffedEcho, port: 7000 };
				expect(await said(place, "hello there")).to.equal(
					`reviews-v2 ${byProxy} hello there`,
				);
			});
			const counts = await answerers(50, {
				...{ address: vip.sniffedHttp, port: 7000 },
				headers: { host: "sniffed-http:7000" },
			});
			expect([...counts.keys()].sort()).to.deep.equal([
				"reviews-v1",
				"reviews-v2",
			]);
			mesh.remove("rule.yaml");
		});

		it("reaches the Pod of a headless Service that the client chose", async () => {
			for (const { name, address } of [reviews1, reviews2]) {
				expect(await said({ address, port: 6379 }, "get")).to.equal(
					`${name} ${byProxy} get`,
				);
			}
		});

		it("reaches an ExternalService by its address", async () => {
			expect(await said({ address: vip.api, port: 5432 }, "query")).to.match(
				/^api 10\.1\.0\.10 query$/,
			);
			expect(await said({ address: elsewhere, port: 9443 }, "entry")).to.match(
				/^ledger 10\.1\.0\.10 entry$/,
			);
		});
	});

	describe("a workload", () => {
		it("can call its own Service, and passes its own inbound side then", async () => {
			const { application, from } = await asked(
				{ address: vip.only, port: 80, headers: { host: "only" } },
				reviews1.namespace,
			);
			expect({ application, from }).to.deep.equal({
				application: "reviews-v1",
				from: byProxy,
			});
		});

		it("calls itself directly by its own address and by localhost", async () => {
			for (const address of [v1, "127.0.0.1"]) {
				const { application, from } = await asked(
					{ address, port: 9080 },
					reviews1.namespace,
				);
				expect({ application, from }).to.deep.equal({
					application: "reviews-v1",
					from: address,
				});
			}
		});

		it("is called through its proxy by clients that have none", async () => {
			const requests = /^http\.inbound_9080\.downstream_rq_total: (\d+)$/m;
			const count = async () =>
				Number(
					requests.exec(
						await reviews1.admin("/stats?filter=inbound_9080"),
					)?.[1] ?? 0,
				);
			const before = await count();
			const { application, from } = await asked(
				{ address: v1, port: 9080 },
				outside,
			);
			expect({ application, from }).to.deep.equal({
				application: "reviews-v1",
				from: byProxy,
			});
			expect(await count()).to.equal(before + 1);
			expect(await said({ address: v1, port: 13306 }, "x", outside)).to.equal(
				`reviews-v1 ${byProxy} x`,
			);
			expect(
				await outside.call("askGrpc", {
					address: v1,
					port: 50051,
					authority: "rpc",
					say: "x",
				}),
			).to.equal("reviews-v1 x");
		});

		it("speaks first to clients without a proxy without waiting", async () => {
			await eventually(async () => {
				const talk = await outside.call("talk", { address: v1, port: 2525 });
				if (talk.kind === "closed") throw new Error(talk.why);
				expect(talk.text).to.equal(`reviews-v1 ${byProxy} welcome`);
				expect(talk.afterMs).to.be.below(800);
			});
		});

		it("is not harmed by connections to the ports of the capture", async () => {
			const loops = async (): Promise<readonly number[]> => [
				...(await loopConnections(reviews1)),
				...(await loopConnections(client)),
			];
			const before = await loops();
			const callers = [
				{ from: reviews1.namespace, address: "127.0.0.1" },
				{ from: reviews1.namespace, address: v1 },
				{ from: client.namespace, address: v1 },
				{ from: outside, address: v1 },
			];
			for (const { from, address } of callers) {
				for (const port of [15001, 15006]) {
					const place = { address, port, say: "round and round" };
					const talk = await from.call("talk", place);
					expect(talk.kind, `${address}:${port}`).to.equal("closed");
				}
			}
			// Each of the eight is counted once, by the first proxy that has it: of the client's, that is its own.
			const after = await loops();
			expect(after.map((n, index) => n - (before[index] ?? 0))).to.deep.equal([
				3, 3, 1, 1,
			]);
		});
	});

	describe("destinations that the mesh does not know", () => {
		it("are reached while the mesh allows any", async () => {
			expect(
				(
					await asked({
						address: elsewhere,
						port: 80,
						headers: { host: "elsewhere.example" },
					})
				).application,
			).to.equal("elsewhere");
			expect(await said({ address: elsewhere, port: 9999 })).to.match(
				/^elsewhere 10\.1\.0\.10 welcome$/,
			);
		});

		it("are refused when the mesh allows registered ones only, and nothing else is", async () => {
			mesh.write(
				"options.yaml",
				`apiVersion: lateen.dev/v1alpha1
kind: Mesh
metadata: {name: default}
spec: {outboundTraffic: RegistryOnly}
`,
			);
			await eventually(async () => {
				const { status, body } = await client.namespace.call("ask", {
					address: elsewhere,
					port: 80,
					headers: { host: "elsewhere.example" },
				});
				expect(status).to.equal(502);
				expect(body).to.contain("RegistryOnly");
				for (const port of [9999, 9444]) {
					expect(
						(
							await client.namespace.call("talk", {
								address: elsewhere,
								port,
								say: "x",
							})
						).kind,
					).to.equal("closed");
				}
			});
			expect(
				(
					await asked({
						address: vip.reviews,
						port: 80,
						headers: { host: "reviews" },
					})
				).from,
			).to.equal(byProxy);
			expect(
				(
					await asked({
						address: vip.api,
						port: 80,
						headers: { host: "api.example.com" },
					})
				).application,
			).to.equal("api");
			expect(await said({ address: vip.db, port: 3306 }, "x")).to.contain(
				byProxy,
			);
			expect(await said({ address: v1, port: 6379 }, "x")).to.equal(
				`reviews-v1 ${byProxy} x`,
			);
			expect(await said({ address: elsewhere, port: 9443 }, "x")).to.contain(
				"ledger",
			);
			// What comes in is nobody's choice of destination.
			expect(
				(await asked({ address: v1, port: 9080 }, outside)).application,
			).to.equal("reviews-v1");
			mesh.remove("options.yaml");
		});
	});
});

/** Waits until the check passes ten times in a row; then it must pass twenty times more, so that it did not by luck. */
async function settles(check: () => Promise<void>): Promise<void> {
	const times = async (count: number): Promise<void> => {
		for (let n = 0; n < count; n++) await check();
	};
	await eventually(() => times(10));
	await times(20);
}

/** Connections so far to the outbound and the inbound port of the capture themselves. */
async function loopConnections(pod: CapturedPod): Promise<number[]> {
	const stats = await pod.admin("/stats?filter=_loop\\.downstream_cx_total");
	return ["outbound", "inbound"].map((side) =>
		Number(
			new RegExp(
				`^tcp\\.${side}_loop\\.downstream_cx_total: (\\d+)$`,
				"m",
			).exec(stats)?.[1] ?? 0,
		),
	);
}

function seen(answer: HttpAnswer): Seen {
	if (answer.status !== 200) throw new Error(`${answer.status} ${answer.body}`);
	return JSON.parse(answer.body) as Seen;
}
