/** Captured sidecars of Pods with an address of each family, live, over IPv6. */
import { expect } from "chai";
import { CapturedMesh, type CapturedPod } from "../../testkit/captured-mesh.ts";
import { eventually } from "../../testkit/eventually.ts";
import type { Seen } from "../../testkit/namespace-programs.ts";
import { captureObstacle, PodNetwork } from "../../testkit/pod-network.ts";

const obstacle = await captureObstacle();

const client6 = "fd00:1::10";
const web6 = "fd00:1::11";
const vip = { web: "fd00:96::11", db: "fd00:96::20" } as const;
/** Where a connection comes from that a proxy hands to its application. */
const byProxy = "::6";

function podYaml(name: string, ips: readonly string[]): string {
	return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: default, labels: {app: ${name}}}
spec: {containers: [{name: app}]}
status: {podIP: ${ips[0]}, podIPs: [${ips.map((ip) => `{ip: "${ip}"}`).join(", ")}]}
---
`;
}

function serviceYaml(
	name: string,
	address: string,
	port: string,
	number: number,
	target: number,
): string {
	return `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec:
  clusterIP: "${address}"
  ipFamilies: [IPv6]
  selector: {app: web}
  ports: [{name: ${port}, port: ${number}, targetPort: ${target}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}, namespace: default, labels: {kubernetes.io/service-name: ${name}}}
addressType: IPv6
ports: [{name: ${port}, port: ${target}}]
endpoints: [{addresses: ["${web6}"], targetRef: {kind: Pod, name: web, namespace: default}}]
---
`;
}

const objects = `${podYaml("client", ["10.1.0.10", client6])}${podYaml("web", ["10.1.0.11", web6])}${serviceYaml("web", vip.web, "http", 80, 8080)}${serviceYaml("db", vip.db, "tcp", 3306, 13306)}`;

describe("captured sidecars over IPv6", function () {
	this.timeout(60_000);
	if (obstacle !== undefined) {
		it.skip(`are not tried here. ${obstacle}`);
		return;
	}
	let mesh: CapturedMesh;
	let client: CapturedPod;
	let web: CapturedPod;

	before(async () => {
		mesh = await CapturedMesh.start(objects);
		[client, web] = await Promise.all([
			mesh.pod("client", "10.1.0.10", { address6: client6 }),
			mesh.pod("web", "10.1.0.11", { address6: web6 }),
		]);
		const { outside } = mesh.network;
		await Promise.all([
			web.namespace.call("serveHttp", {
				name: "web",
				address: "::",
				port: 8080,
			}),
			web.namespace.call("serveTcp", {
				name: "db",
				address: "::",
				port: 13306,
				speaksFirst: true,
			}),
			outside.call("serveHttp", {
				name: "outside",
				address: PodNetwork.gateway6,
				port: 8888,
			}),
		]);
	});
	after(() => mesh?.[Symbol.asyncDispose]());

	async function ask(
		from: CapturedPod,
		address: string,
		port: number,
	): Promise<Seen> {
		const { status, body } = await from.namespace.call("ask", {
			address,
			port,
		});
		expect(status, body).to.equal(200);
		return JSON.parse(body);
	}

	it("reach an HTTP Service by its address, on another port than the application's", async () => {
		await eventually(async () => {
			const seen = await ask(client, vip.web, 80);
			expect(seen).to.include({ application: "web", from: byProxy });
			expect(seen.headers).to.have.property("x-request-id");
		});
	});

	it("follow a RouteRule there", async () => {
		mesh.write(
			"rule.yaml",
			`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: web, namespace: default}
spec:
  destination: {name: web}
  headers: {request: {set: {x-rule: applied}}}
`,
		);
		await eventually(async () =>
			expect((await ask(client, vip.web, 80)).headers).to.include({
				"x-rule": "applied",
			}),
		);
	});

	it("reach a TCP Service whose server speaks first", async () => {
		const answer = await client.namespace.call("talk", {
			address: vip.db,
			port: 3306,
		});
		expect(answer).to.include({
			kind: "said",
			text: `db ${byProxy} welcome`,
		});
	});

	it("let a Pod call its own Service, by its own inbound side", async () => {
		const seen = await ask(web, vip.web, 80);
		expect(seen).to.include({ application: "web", from: byProxy });
	});

	it("let a Pod call itself directly, by its address and by localhost", async () => {
		expect(await ask(web, web6, 8080)).to.include({ from: web6 });
		expect(await ask(web, "::1", 8080)).to.include({ from: "::1" });
	});

	it("are reached by clients that have no proxy", async () => {
		const { status, body } = await mesh.network.outside.call("ask", {
			address: web6,
			port: 8080,
		});
		expect(status).to.equal(200);
		expect(JSON.parse(body)).to.include({ application: "web", from: byProxy });
	});

	it("reach what the mesh does not know, and are not harmed by connections to the ports of the capture", async () => {
		expect(await ask(client, PodNetwork.gateway6, 8888)).to.include({
			application: "outside",
			from: client6,
		});
		for (const port of [15001, 15006])
			await web.namespace
				.call("ask", { address: web6, port })
				.catch(() => undefined);
		expect((await ask(client, vip.web, 80)).application).to.equal("web");
	});
});
