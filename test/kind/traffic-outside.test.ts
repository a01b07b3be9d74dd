// What pods reach that is outside of the mesh: everything, what is known alone, and what a pod keeps away from its proxy.

import { expect } from "chai";
import { authorityCertificate } from "../testkit/certificates.ts";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import { listOf } from "../testkit/kind-objects.ts";
import { kubectl } from "../testkit/kube-cluster.ts";
import {
	grpc,
	http,
	TLS_NAME,
	TrafficWorld,
	tcp,
	tls,
	trafficPod,
	websocket,
} from "../testkit/traffic-world.ts";

describe("traffic to what is outside of the mesh", () => {
	let world: TrafficWorld;
	let meshed: KindNamespace;
	let outside: string;

	before(async () => {
		world = await TrafficWorld.start();
		({ meshed, outside } = world);
		await meshed.apply(
			externalService("by-host", {
				hosts: ["web.example.com"],
				ports: [http80(8080)],
				endpoints: [{ address: outside }],
			}),
			externalService("by-server-name", {
				hosts: [TLS_NAME],
				ports: [
					{ number: 443, name: "tls", protocol: "TLS", targetPort: 8443 },
				],
				endpoints: [{ address: outside }],
			}),
			externalService("encrypted", {
				hosts: ["secure.example.com"],
				ports: [
					{
						...http80(8443),
						tls: { sni: TLS_NAME, caCertificates: authorityCertificate() },
					},
				],
				endpoints: [{ address: outside }],
			}),
			externalService("by-address", {
				hosts: ["db.example.com"],
				addresses: ["203.0.113.10"],
				ports: [
					{ number: 5432, name: "tcp", protocol: "TCP", targetPort: 9001 },
				],
				endpoints: [{ address: outside }],
			}),
		);
		await meshed.kubectl(
			...["wait", "externalservice", "--all", "--timeout=60s"],
			"--for=condition=Programmed",
		);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	describe("where any is allowed", () => {
		for (const port of [8080, 7777]) {
			it(`is carried by HTTP to an address on port ${port}`, async () => {
				const url = `http://${outside}:${port}/`;
				expect(await http(meshed, "client", url)).to.have.nested.property(
					"seen.pod",
					"outside",
				);
			});
		}

		it("is carried by WebSocket, gRPC, TLS and TCP", async () => {
			const url = `ws://${outside}:7777/`;
			expect(await websocket(meshed, "client", url, 100)).to.deep.equal({
				echoes: ["outside: first", "outside: second"],
			});
			expect(await grpc(meshed, "client", `${outside}:7000`))
				.to.have.property("unary")
				.that.matches(/^outside /);
			expect(
				await tls(meshed, "client", outside, 8443),
			).to.have.nested.property("seen.pod", "outside");
			expect(await tcp(meshed, "client", outside, 9000))
				.to.have.property("said")
				.that.matches(/^hello from outside /);
			expect(await tcp(meshed, "client", outside, 9001, "hey"))
				.to.have.property("said")
				.that.matches(/^outside to .*: hey$/);
		});

		carriesWhatIsKnown();
	});

	describe("where only what is known is allowed", () => {
		before(async () => {
			const mesh = {
				apiVersion: "lateen.dev/v1alpha1",
				kind: "Mesh",
				metadata: { name: "default" },
				spec: { outboundTraffic: "RegistryOnly" },
			};
			await kubectl(world.cluster, ["apply", "-f", "-"], listOf([mesh]));
			await kubectl(world.cluster, [
				...["wait", "mesh/default", "--for=condition=Programmed"],
				"--timeout=60s",
			]);
			await meshed.apply(
				trafficPod("without-port", {
					annotations: {
						"lateen.dev/exclude-outbound-ports": "7777",
					},
				}),
				trafficPod("without-subnet", {
					annotations: {
						"lateen.dev/exclude-outbound-subnets": `${outside}/32`,
					},
				}),
				// Services are in it.
				trafficPod("with-subnet", {
					annotations: {
						"lateen.dev/include-outbound-subnets": "10.96.0.0/16",
					},
				}),
				trafficPod("with-subnet-and-port", {
					annotations: {
						"lateen.dev/include-outbound-subnets": "10.96.0.0/16",
						"lateen.dev/include-outbound-ports": "7777",
					},
				}),
			);
			await meshed.ready(
				...["pod/without-port", "pod/without-subnet"],
				...["pod/with-subnet", "pod/with-subnet-and-port"],
			);
		});
		after(async () => {
			if (world !== undefined)
				await kubectl(world.cluster, ["delete", "mesh", "default"]);
		});

		for (const [what, port] of [
			["that has an HTTP Service", 80],
			["that has a TCP Service", 9001],
			["that nobody has", 7778],
		] as const) {
			it(`is answered by HTTP with 502 and what to do, on a port ${what}`, async () => {
				const url = `http://${outside}:${port}/`;
				const answer = await http(meshed, "client", url);
				expect(answer).to.have.property("status", 502);
				expect(answer)
					.to.have.property("body")
					.that.contains("ExternalService");
			});
		}

		it("is answered to gRPC, too", async () => {
			expect(await grpc(meshed, "client", `${outside}:7000`))
				.to.have.property("error")
				.that.contains("ExternalService");
		});

		it("is cut by TCP and TLS", async () => {
			for (const outcome of [
				await tcp(meshed, "client", outside, 9000),
				await tcp(meshed, "client", outside, 7779, "hey"),
				await tls(meshed, "client", outside, 8443),
			]) {
				expect(outcome).to.have.property("error");
			}
		});

		it("still reaches Services, each of their ports", async () => {
			expect(await http(meshed, "client", "http://server/")).to.have.property(
				"status",
				200,
			);
			expect(await tcp(meshed, "client", "greets", 9000)).to.have.property(
				"said",
			);
			expect(await tls(meshed, "client", "tls", 8443)).to.have.property(
				"status",
				200,
			);
			// The API server, which has no pods.
			expect(
				await tls(
					meshed,
					"client",
					"kubernetes.default.svc",
					443,
					"kubernetes",
				),
			).to.have.property("status");
		});

		for (const [pod, what, passed, refused] of [
			["without-port", "a port that a pod excludes", 7777, 8080],
			["without-subnet", "a subnet that a pod excludes", 8080, undefined],
			["with-subnet", "what a pod does not include", 8080, undefined],
			[
				...[
					"with-subnet-and-port",
					"what a pod does not include, but for a port",
				],
				...[8080, 7777],
			],
		] as const) {
			it(`does not go through the proxy to ${what}`, async () => {
				const ask = async (port: number) =>
					await http(meshed, String(pod), `http://${outside}:${port}/`);
				expect(await ask(Number(passed))).to.have.property("status", 200);
				if (refused !== undefined)
					expect(await ask(Number(refused))).to.have.property("status", 502);
				const inside = await http(meshed, String(pod), "http://server/");
				expect(inside).to.have.property("status", 200);
			});
		}

		carriesWhatIsKnown();
	});

	function carriesWhatIsKnown(): void {
		it("is carried by HTTP to a host of an ExternalService", async () => {
			const answer = await http(
				...([meshed, "client", `http://${outside}/`] as const),
				"host=web.example.com",
			);
			expect(answer).to.have.nested.property("seen.host", "web.example.com");
		});

		it("is carried by TLS to a server name of an ExternalService, unopened", async () => {
			const answer = await tls(meshed, "client", outside, 443);
			expect(answer).to.deep.nested.include({
				"seen.pod": "outside",
				"seen.isTls": true,
			});
		});

		it("is encrypted by the proxy where an ExternalService says so", async () => {
			const answer = await http(
				...([meshed, "client", `http://${outside}/`] as const),
				"host=secure.example.com",
			);
			expect(answer).to.deep.nested.include({
				"seen.host": "secure.example.com",
				"seen.isTls": true,
			});
		});

		it("is carried by TCP to an address of an ExternalService", async () => {
			expect(await tcp(meshed, "client", "203.0.113.10", 5432, "hey"))
				.to.have.property("said")
				.that.matches(/^outside to .*: hey$/);
		});
	}
});

function externalService(name: string, spec: object): object {
	return {
		apiVersion: "lateen.dev/v1alpha1",
		kind: "ExternalService",
		metadata: { name },
		spec: { resolution: "Static", ...spec },
	};
}

function http80(targetPort: number): object {
	return { number: 80, name: "http", protocol: "HTTP", targetPort };
}
