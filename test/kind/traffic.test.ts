// Every kind of traffic between pods, on ports whose protocol is known and on others, from pods with proxies and without.

import { expect } from "chai";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import { listOf, ruleObject } from "../testkit/kind-objects.ts";
import { BY_PROXY } from "../testkit/kind-world.ts";
import { kubectl } from "../testkit/kube-cluster.ts";
import {
	grpc,
	http,
	TrafficWorld,
	tcp,
	tls,
	trafficPodSpec,
	websocket,
} from "../testkit/traffic-world.ts";

/** Where the proxy hands over what came by IPv6. */
const BY_PROXY_6 = "::6";

describe("traffic of every kind", () => {
	let world: TrafficWorld;
	let meshed: KindNamespace;
	let plain: KindNamespace;

	before(async () => {
		world = await TrafficWorld.start();
		({ meshed, plain } = world);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	for (const caller of ["with a proxy", "without a proxy"]) {
		describe(`from a pod ${caller}`, () => {
			const from = (): KindNamespace =>
				caller === "with a proxy" ? meshed : plain;
			const host = (service: string): string => `${service}.${meshed.name}`;

			for (const [port, service, number] of [
				["that is HTTP", "server", 80],
				["without a protocol", "any", 5001],
			] as const) {
				it(`is carried by HTTP to a port ${port}`, async () => {
					const url = `http://${host(service)}:${number}/`;
					const answer = await http(from(), "client", url);
					expect(answer).to.have.property("status", 200);
					expect(answer).to.have.nested.property("seen.from", BY_PROXY);
				});

				it(`is carried by WebSocket to a port ${port}`, async () => {
					const talk = await websocket(
						...([
							from(),
							"client",
							`ws://${host(service)}:${number}/`,
						] as const),
						100,
					);
					expect(talk).to.deep.equal({
						echoes: ["server: first", "server: second"],
					});
				});
			}

			for (const [port, service, number] of [
				["that is gRPC", "grpc", 7000],
				["without a protocol", "any", 5002],
			] as const) {
				it(`is carried by gRPC to a port ${port}: calls, streams and errors`, async () => {
					const address = `${host(service)}:${number}`;
					const calls = await grpc(from(), "client", address);
					expect(calls)
						.to.have.property("unary")
						.that.matches(/^server to 127\.0\.0\.6:\d+: hello$/);
					expect(calls).to.deep.include({
						serverStream: ["1", "2", "3"],
						bidi: ["re: one", "re: two"],
						failure: { code: 9, details: "As asked." },
						late: 4,
					});
				});
			}

			for (const [port, service, number] of [
				["that is TCP", "greets", 9000],
				["without a protocol", "any", 5003],
			] as const) {
				it(`is carried to a server that speaks first on a port ${port}`, async () => {
					expect(
						await tcp(from(), "client", host(service), number),
					).to.deep.equal({ said: `hello from server to ${BY_PROXY}\n` });
				});
			}

			for (const [port, service, number] of [
				["that is TCP", "echoes", 9001],
				["without a protocol", "any", 5004],
			] as const) {
				it(`is carried to a server that listens first on a port ${port}`, async () => {
					expect(
						await tcp(from(), "client", host(service), number, "hey"),
					).to.deep.equal({ said: `server to ${BY_PROXY}: hey` });
				});
			}

			for (const [port, service, number] of [
				["that is TLS", "tls", 8443],
				["without a protocol", "any", 5005],
			] as const) {
				it(`is carried by TLS from end to end to a port ${port}`, async () => {
					const answer = await tls(from(), "client", host(service), number);
					expect(answer).to.have.property("status", 200);
					expect(answer).to.deep.nested.include({
						"seen.from": BY_PROXY,
						"seen.isTls": true,
					});
				});
			}
		});
	}

	describe("under rules", () => {
		const program = async (name: string, spec: object): Promise<void> => {
			await meshed.apply(ruleObject(name, spec));
			await meshed.kubectl(
				...["wait", "--for=condition=Programmed", `routerule/${name}`],
				"--timeout=60s",
			);
		};
		afterEach(async () => {
			await meshed?.kubectl("delete", "routerule", "--all");
		});

		it("keeps a silent WebSocket open beyond the timeout of requests, and for longer than idle connections", async () => {
			const destination = { name: "server" };
			await program("short", { destination, timeout: "1s" });
			const talk = await websocket(meshed, "client", "ws://server/", 6_000);
			expect(talk).to.have.property("echoes").that.has.lengthOf(2);
		});

		it("ends a WebSocket on which nothing moves for the idle time", async () => {
			const destination = { name: "server" };
			await program("idle", { destination, idleTimeout: "1s" });
			const talk = await websocket(meshed, "client", "ws://server/", 6_000);
			expect(talk).to.deep.equal({ echoes: ["server: first"], closed: 1006 });
		});

		it("follows them on a port without a protocol, whatever is spoken there", async () => {
			await program("nowhere", {
				destination: { name: "any" },
				route: [{ labels: { app: "nobody" } }],
			});
			expect(await http(meshed, "client", "http://any:5001/"))
				.to.have.property("body")
				.that.contains(`${meshed.name}/nowhere/0`);
			expect(await tcp(meshed, "client", "any", 5004, "hey")).to.have.property(
				"error",
			);
		});
	});

	describe("to names and addresses", () => {
		before(async () => {
			await meshed.apply(
				{
					apiVersion: "v1",
					kind: "Service",
					metadata: { name: "set" },
					spec: {
						clusterIP: "None",
						selector: { app: "set" },
						ports: [
							{ name: "http", port: 8080 },
							{ name: "grpc", port: 7000 },
							{ name: "tcp", port: 9001 },
							{ name: "any", port: 7777 },
						],
					},
				},
				{
					apiVersion: "apps/v1",
					kind: "StatefulSet",
					metadata: { name: "set" },
					spec: {
						serviceName: "set",
						replicas: 2,
						podManagementPolicy: "Parallel",
						selector: { matchLabels: { app: "set" } },
						template: {
							metadata: { labels: { app: "set" } },
							spec: trafficPodSpec(),
						},
					},
				},
				{
					apiVersion: "v1",
					kind: "Service",
					metadata: { name: "alias" },
					spec: {
						type: "ExternalName",
						externalName: `server.${meshed.name}.svc.cluster.local`,
						ports: [{ name: "http", port: 80 }],
					},
				},
			);
			await meshed.kubectl(
				...["rollout", "status", "statefulset/set", "--timeout=180s"],
			);
		});

		it("reaches each pod of a StatefulSet by its own name", async () => {
			for (const pod of ["set-0", "set-1"]) {
				for (const host of [
					`${pod}.set`,
					`${pod}.set.${meshed.name}`,
					`${pod}.set.${meshed.name}.svc.cluster.local`,
				]) {
					const answer = await http(meshed, "client", `http://${host}:8080/`);
					expect(answer).to.have.nested.property("seen.pod", pod);
				}
				const sniffed = `http://${pod}.set:7777/`;
				expect(await http(meshed, "client", sniffed)).to.have.nested.property(
					"seen.pod",
					pod,
				);
				expect(await grpc(meshed, "client", `${pod}.set:7000`))
					.to.have.property("unary")
					.that.contains(`${pod} to ${BY_PROXY}`);
				expect(
					await tcp(meshed, "client", `${pod}.set`, 9001, "hey"),
				).to.deep.equal({ said: `${pod} to ${BY_PROXY}: hey` });
			}
		});

		it("reaches the host of an ExternalName Service", async () => {
			const answer = await http(meshed, "client", "http://alias/");
			expect(answer).to.have.nested.property("seen.pod", "server");
		});

		it("goes by IPv6 like by IPv4", async function () {
			const ips = await meshed.kubectl(
				...["get", "pod", "server", "-o", "jsonpath={.status.podIPs[*].ip}"],
			);
			const [, pod] = ips.split(" ");
			if (pod === undefined) this.skip();
			const both = {
				apiVersion: "v1",
				kind: "Service",
				metadata: { name: "both" },
				spec: {
					ipFamilyPolicy: "RequireDualStack",
					selector: { app: "server" },
					ports: [
						{ name: "http", port: 80, targetPort: 8080 },
						{ name: "grpc", port: 7000 },
						{ name: "tcp", port: 9000 },
						{ name: "any", port: 9001 },
					],
				},
			};
			await kubectl(
				world.cluster,
				["--namespace", meshed.name, "apply", "-f", "-"],
				listOf([both]),
			);
			const address = await meshed.kubectl(
				...["get", "service", "both", "-o", "jsonpath={.spec.clusterIPs[1]}"],
			);
			// Proxies choose among the endpoints of both families; bare pods follow the address.
			const families = { meshed: BY_PROXY, plain: BY_PROXY_6 };
			for (const namespace of [meshed, plain]) {
				const by = namespace === meshed ? families.meshed : families.plain;
				const asked = await http(namespace, "client", `http://[${address}]/`);
				expect(asked).to.have.nested.property("seen.pod", "server");
				expect(asked).to.have.nested.property("seen.from", by);
				expect(await tcp(namespace, "client", address, 9000)).to.have.property(
					"said",
				);
				expect(
					await tcp(namespace, "client", address, 9001, "hey"),
				).to.have.property("said");
				expect(
					await grpc(namespace, "client", `[${address}]:7000`),
				).to.have.property("unary");
			}
			const direct = await http(plain, "client", `http://[${pod}]:8080/`);
			expect(direct).to.have.nested.property("seen.from", BY_PROXY_6);
		});
	});

	describe("of whoever collects figures", () => {
		const address = async (): Promise<string> =>
			await meshed.kubectl(
				...["get", "pod", "server", "-o", "jsonpath={.status.podIP}"],
			);

		it("reaches the application's", async () => {
			const url = `http://${await address()}:8080/metrics`;
			expect(await http(plain, "client", url)).to.deep.equal({
				status: 200,
				body: 'app_pod{name="server"} 1\n',
			});
		});

		for (const path of ["/stats/prometheus", "/metrics"]) {
			it(`reaches the proxy's at ${path}`, async () => {
				const declared = await meshed.kubectl(
					...["get", "pod", "server", "-o"],
					'jsonpath={.spec.initContainers[*].ports[?(@.name=="lateen-status")].containerPort}',
				);
				const url = `http://${await address()}:${declared}${path}`;
				const answer = await http(plain, "client", url);
				expect(answer).to.have.property("status", 200);
				expect(answer)
					.to.have.property("body")
					.that.matches(/^envoy_server_live\{\} 1$/m);
			});
		}
	});
});
