// Proxies that prove who they are by real tokens of a real API server.

import { type ChildProcess, spawn } from "node:child_process";
import { sign } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect } from "chai";
import { ensureEnvoy } from "../../hack/ensure-envoy.ts";
import { podDirectory } from "../../src/app/cluster/pod-directory.ts";
import type { KubeConnection } from "../../src/kube/connection.ts";
import { loadKubeConfig } from "../../src/kube/kube-config.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import { TokenReviewer } from "../../src/kube/token-review.ts";
import { grpcStatus } from "../../src/lib/grpc-error.ts";
import { WritableSignal } from "../../src/lib/signal.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import type { TlsMaterial } from "../../src/lib/tls-material.ts";
import { printAddress } from "../../src/net/address.ts";
import { type GrpcServer, serveGrpc } from "../../src/net/grpc-server.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { MetricsRegistry } from "../../src/observability/metrics.ts";
import { createKubernetesSource } from "../../src/sources/kubernetes.ts";
import { ObjectStore } from "../../src/store/object-store.ts";
import { generateBootstrap } from "../../src/xds/bootstrap.ts";
import { adsMethods } from "../../src/xds/server/ads.ts";
import { PodAuthenticator } from "../../src/xds/server/authenticate-pod.ts";
import { ConnectedProxies } from "../../src/xds/server/connected-proxies.ts";
import { AdsConnection, type CallStatus } from "../testkit/ads-client.ts";
import { testAuthority } from "../testkit/authority.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	type KubeCluster,
	kubectl,
	newNamespace,
	sharedCluster,
} from "../testkit/kube-cluster.ts";
import { MemoryResources, resource } from "../testkit/memory-resources.ts";
import { ProjectedVolume } from "../testkit/projected-volume.ts";
import { TemporaryFolder } from "../testkit/temporary-folder.ts";

const audience = "lateen.dev";

/** The API server itself remembers for ten seconds what it has said of a token. */
const forgottenMs = 30_000;

describe("proxies with tokens of a real API server", function () {
	this.timeout(120_000);
	let cluster: KubeCluster;
	let namespace: string;
	let connection: KubeConnection;

	before(async () => {
		cluster = await sharedCluster();
		namespace = await newNamespace(cluster);
		connection = openConnection(
			await loadKubeConfig({
				kubeconfig: cluster.kubeconfig,
				environment: {},
				clock: systemClock,
			}),
			{ clock: systemClock, userAgent: "lateen/test" },
		);
		await inNamespace(["create", "serviceaccount", "reviews"]);
	});

	after(async () => {
		await connection?.[Symbol.asyncDispose]();
	});

	const inNamespace = (args: readonly string[], input?: string) =>
		kubectl(cluster, ["-n", namespace, ...args], input);

	/** Makes a pod, which nobody runs. */
	async function pod(name: string, labels = {}): Promise<void> {
		await inNamespace(
			["create", "-f", "-"],
			JSON.stringify({
				apiVersion: "v1",
				kind: "Pod",
				metadata: { name, labels },
				spec: {
					serviceAccountName: "reviews",
					containers: [{ name: "app", image: "app" }],
				},
			}),
		);
	}

	async function remove(name: string): Promise<void> {
		await inNamespace(["delete", "pod", name, "--grace-period=0", "--force"]);
	}

	/** A token as the kubelet would ask for it. */
	async function token(podName: string, meantFor = audience): Promise<string> {
		const text = await inNamespace([
			...["create", "token", "reviews", `--audience=${meantFor}`],
			...["--bound-object-kind=Pod", `--bound-object-name=${podName}`],
		]);
		return text.trim();
	}

	/** The same token with other claims, signed with the API server's own key. */
	async function reissued(
		given: string,
		change: (claims: Record<string, unknown>) => Record<string, unknown>,
	): Promise<string> {
		const key = await readFile(
			join(dirname(cluster.kubeconfig), "pki", "tokens.key"),
		);
		const [header = "", payload = ""] = given.split(".");
		const claims = JSON.parse(
			Buffer.from(payload, "base64url").toString(),
		) as Record<string, unknown>;
		const changed = Buffer.from(JSON.stringify(change(claims)));
		const signed = `${header}.${changed.toString("base64url")}`;
		// ES256, RFC 7518 section 3.4.
		const signature = sign("sha256", Buffer.from(signed), {
			key,
			dsaEncoding: "ieee-p1363",
		});
		return `${signed}.${signature.toString("base64url")}`;
	}

	function reviewer(): TokenReviewer {
		return new TokenReviewer({
			connection,
			audience,
			clock: systemClock,
			log: silentLogger,
			metrics: new MetricsRegistry(),
		});
	}

	describe("are judged by a review of the token, which", () => {
		it("says whose token it is, and until when", async () => {
			await pod("judged-1");
			const uid = await inNamespace([
				...["get", "pod", "judged-1", "-o", "jsonpath={.metadata.uid}"],
			]);
			using tokens = reviewer();
			const verdict = await tokens.review(await token("judged-1"));
			expect(verdict).to.have.property("owner").that.deep.equals({
				namespace,
				serviceAccount: "reviews",
				podName: "judged-1",
				podUid: uid,
			});
			expect(verdict)
				.to.have.property("expiresMs")
				.that.is.within(Date.now() + 3_500_000, Date.now() + 3_700_000);
		});

		it("refuses a token for the API server, also when nobody looks at it before", async () => {
			await pod("judged-2");
			const other = await token("judged-2", "other.example");
			using tokens = reviewer();
			expect(await tokens.review(other))
				.to.have.property("refusal")
				.that.contains("not meant for the audience lateen.dev");
			using careless = new TokenReviewer({
				connection,
				audience: "other.example",
				clock: systemClock,
				log: silentLogger,
				metrics: new MetricsRegistry(),
			});
			expect(await careless.review(other)).to.have.property("owner");
		});

		it("refuses what was changed or made up", async () => {
			await pod("judged-3");
			const good = await token("judged-3");
			const [header, payload = "", signature] = good.split(".");
			const claims = JSON.parse(
				Buffer.from(payload, "base64url").toString(),
			) as Record<string, unknown>;
			const forged = Buffer.from(
				JSON.stringify({ ...claims, exp: Number(claims["exp"]) + 1 }),
			).toString("base64url");
			using tokens = reviewer();
			for (const bad of [
				"garbage",
				`${header}.${forged}.${signature}`,
				`${header}.${payload}.${"A".repeat(signature?.length ?? 0)}`,
			]) {
				expect(await tokens.review(bad)).to.have.property("refusal");
			}
		});

		it("refuses an expired token", async () => {
			await pod("judged-6");
			const good = await token("judged-6");
			using tokens = reviewer();
			expect(
				await tokens.review(await reissued(good, (claims) => claims)),
			).to.have.property("owner");
			// The API server allows clocks to differ by a minute.
			const expired = await reissued(good, (claims) => ({
				...claims,
				exp: Math.floor(Date.now() / 1000) - 120,
			}));
			expect(await tokens.review(expired))
				.to.have.property("refusal")
				.that.contains("expired");
		});

		it("refuses a token that names another pod with the uid of its own", async () => {
			await pod("judged-7");
			await pod("judged-8");
			const uid = await inNamespace([
				...["get", "pod", "judged-7", "-o", "jsonpath={.metadata.uid}"],
			]);
			const mixed = await reissued(await token("judged-7"), (claims) => ({
				...claims,
				"kubernetes.io": {
					...(claims["kubernetes.io"] as object),
					pod: { name: "judged-8", uid },
				},
			}));
			using tokens = reviewer();
			expect(await tokens.review(mixed)).to.have.property("refusal");
		});

		it("refuses a token that is bound to no pod", async () => {
			const text = await inNamespace([
				...["create", "token", "reviews", `--audience=${audience}`],
			]);
			using tokens = reviewer();
			expect(await tokens.review(text.trim()))
				.to.have.property("refusal")
				.that.contains(`${namespace}/reviews is not bound to a pod`);
		});

		it("refuses the token of a pod that was deleted, and of a pod that another has replaced", async () => {
			await pod("judged-4");
			const old = await token("judged-4");
			await remove("judged-4");
			using tokens = reviewer();
			expect(await tokens.review(old)).to.have.property("refusal");
			await pod("judged-4");
			using again = reviewer();
			expect(await again.review(old)).to.have.property("refusal");
			expect(await again.review(await token("judged-4"))).to.have.property(
				"owner",
			);
		});

		it("refuses the token of a ServiceAccount that was deleted", async () => {
			await inNamespace(["create", "serviceaccount", "short-lived"]);
			await inNamespace(
				["create", "-f", "-"],
				JSON.stringify({
					apiVersion: "v1",
					kind: "Pod",
					metadata: { name: "judged-5" },
					spec: {
						serviceAccountName: "short-lived",
						containers: [{ name: "app", image: "app" }],
					},
				}),
			);
			const text = await inNamespace([
				...["create", "token", "short-lived", `--audience=${audience}`],
				...["--bound-object-kind=Pod", "--bound-object-name=judged-5"],
			]);
			await inNamespace(["delete", "serviceaccount", "short-lived"]);
			using tokens = reviewer();
			expect(await tokens.review(text.trim())).to.have.property("refusal");
		});
	});

	describe("over TLS", () => {
		const authority = testAuthority("apiserver");
		const resources = new MemoryResources();
		const connected = new ConnectedProxies();
		const running = new AbortController();
		let tokens: TokenReviewer;
		let server: GrpcServer;
		let ended: Promise<unknown>;
		const connections: AdsConnection[] = [];
		let envoy: ChildProcess | undefined;
		let folder: TemporaryFolder | undefined;

		before(async () => {
			resources.change([{ type: "cluster", put: resource("cluster-1") }]);
			const store = new ObjectStore(["kubernetes"], new Map());
			const source = createKubernetesSource({
				name: "kubernetes",
				connection,
				clock: systemClock,
				logger: silentLogger,
				kinds: ["Pod"],
			});
			ended = source
				.run(store.sinkOf("kubernetes"), running.signal)
				.catch(() => undefined);
			await eventually(() => expect(store.allListed.value).to.equal(true));
			tokens = reviewer();
			const authenticator = new PodAuthenticator({
				tokens,
				pods: podDirectory(store.objects),
				clock: systemClock,
				random: Math.random,
			});
			server = await serveGrpc({
				listen: { host: "127.0.0.1", port: 0 },
				tls: new WritableSignal<TlsMaterial | undefined>(authority.issue()),
				limits: { stopMs: 100 },
				log: silentLogger,
				methods: adsMethods({
					directory: resources,
					authenticate: (peer, claims) =>
						authenticator.authenticate(peer, claims),
					connected,
					clock: systemClock,
					log: silentLogger,
				}),
			});
		});

		afterEach(async () => {
			for (const connection of connections.splice(0)) connection.close();
			if (envoy?.exitCode === null) {
				envoy.kill("SIGKILL");
				await once(envoy, "exit");
			}
			envoy = undefined;
			folder?.[Symbol.dispose]();
			folder = undefined;
		});

		after(async () => {
			running.abort();
			tokens?.[Symbol.dispose]();
			await server?.[Symbol.asyncDispose]();
			await ended;
		});

		function connect(): AdsConnection {
			const { port } = new URL(`tcp://${printAddress(server.address)}`);
			const client = new AdsConnection(`localhost:${port}`, authority.ca);
			connections.push(client);
			return client;
		}

		function open(id: string, bearer: string) {
			const call = connect().delta(bearer);
			call.ask("cluster", { node: { id } });
			return call;
		}

		/** How a stream ends that is asked for again as long as the server has not seen enough. */
		async function refusal(id: string, bearer: string): Promise<CallStatus> {
			return await eventually(async () => {
				const status = await open(id, bearer).ended();
				expect(status.code).not.to.equal(grpcStatus.unavailable);
				return status;
			});
		}

		/** A stream that is let in, asked for again while the pod is not seen yet. */
		async function admitted(id: string, bearer: string) {
			return await eventually(async () => {
				const call = open(id, bearer);
				await call.told();
				return call;
			});
		}

		it("the pod of the token is let in, and turned out as soon as it is deleted", async () => {
			await pod("wire-1");
			const call = await admitted(
				`sidecar~${namespace}/wire-1`,
				await token("wire-1"),
			);
			await remove("wire-1");
			const status = await call.ended();
			expect(status.code).to.equal(grpcStatus.unauthenticated);
			expect(status.details).to.contain(`${namespace}/wire-1 is gone`);
		});

		it("the token of another pod, for another audience, and none are refused", async () => {
			await pod("wire-2");
			await pod("wire-3");
			const id = `sidecar~${namespace}/wire-2`;
			await admitted(id, await token("wire-2"));
			expect(await refusal(id, await token("wire-3"))).to.have.property(
				"code",
				grpcStatus.permissionDenied,
			);
			for (const bad of [await token("wire-2", "other"), "garbage"]) {
				expect(await refusal(id, bad)).to.have.property(
					"code",
					grpcStatus.unauthenticated,
				);
			}
		});

		it("a gateway is let in when its pod's label says so", async () => {
			await pod("ingress-a", { "lateen.dev/gateway": "ingress" });
			await pod("ingress-b");
			const gateway = (name: string) => `gateway~${namespace}/ingress~${name}`;
			const ask = async (name: string) => {
				const call = connect().delta(await token(name));
				call.ask("cluster", {
					node: {
						id: gateway(name),
						metadata: {
							lateen: { gateway: [{ listen: "0.0.0.0:8080" }] },
						},
					},
				});
				return call;
			};
			await eventually(async () => await (await ask("ingress-a")).told());
			await eventually(async () => {
				const status = await (await ask("ingress-b")).ended();
				expect(status.code).to.equal(grpcStatus.permissionDenied);
				expect(status.details).to.contain("lateen.dev/gateway: ingress");
			});
		});

		it("a real Envoy comes back by itself when its pod was replaced and the kubelet has written the new token", async () => {
			await pod("wire-4");
			folder = new TemporaryFolder();
			const at = (name: string): string => folder?.at(name) ?? "";
			const volume = new ProjectedVolume(at("volume"), {
				token: await token("wire-4"),
				"ca.crt": authority.ca,
			});
			if ("path" in server.address) throw new Error("It is a port.");
			const { bootstrap, tokenSds, caSds } = generateBootstrap({
				workload: `${namespace}/wire-4`,
				kind: "sidecar",
				attachment: "explicit",
				addresses: { inbound: [], tcp: [], gateway: [] },
				server: { host: "localhost", port: server.address.port },
				adminPort: 0,
				tokenFile: volume.at("token"),
				tokenSdsFile: at("token-sds.json"),
				tls: {
					caFile: volume.at("ca.crt"),
					caSdsFile: at("ca-sds.json"),
					serverName: "localhost",
				},
			});
			folder.write("token-sds.json", JSON.stringify(tokenSds));
			folder.write("ca-sds.json", JSON.stringify(caSds));
			folder.write("envoy.json", JSON.stringify(bootstrap));
			envoy = spawn(
				await ensureEnvoy(),
				[
					...["-c", at("envoy.json"), "-l", "critical"],
					...["--concurrency", "1", "--use-dynamic-base-id"],
				],
				{ stdio: "ignore" },
			);
			const isIn = (): boolean =>
				[...connected.all()].some(
					({ proxy }) => proxy.workload === `${namespace}/wire-4`,
				);
			await eventually(() => expect(isIn()).to.equal(true));
			await remove("wire-4");
			await eventually(() => expect(isIn()).to.equal(false));
			await pod("wire-4");
			volume.put({ token: await token("wire-4"), "ca.crt": authority.ca });
			await eventually(() => expect(isIn()).to.equal(true), forgottenMs);
			expect(envoy.exitCode).to.equal(null);
		});
	});
});
