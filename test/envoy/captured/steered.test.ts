/** Injected Pods, live, with what their annotations and probes ask for: rules and status port as injection makes them. */
import { expect } from "chai";
import { CapturedMesh, type CapturedPod } from "../../testkit/captured-mesh.ts";
import { eventually } from "../../testkit/eventually.ts";
import type { HttpAnswer, Seen } from "../../testkit/namespace-programs.ts";
import { captureObstacle, PodNetwork } from "../../testkit/pod-network.ts";

const obstacle = await captureObstacle();

const address = { plain: "10.1.0.11", steered: "10.1.0.12" } as const;
const vip = "10.96.0.11";
/** Where a connection comes from that a proxy hands to its application. */
const byProxy = "127.0.0.6";
const { gateway, elsewhere } = PodNetwork;

function podYaml(name: string, ip: string): string {
	return `apiVersion: v1
kind: Pod
metadata: {name: ${name}, namespace: default, labels: {app: ${name}}}
spec: {containers: [{name: app}]}
status: {podIP: ${ip}, podIPs: [{ip: ${ip}}]}
---
`;
}

const objects = `${podYaml("plain", address.plain)}${podYaml("steered", address.steered)}apiVersion: v1
kind: Service
metadata: {name: plain, namespace: default}
spec:
  clusterIP: ${vip}
  selector: {app: plain}
  ports: [{name: http, port: 80, targetPort: 8080}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: plain, namespace: default, labels: {kubernetes.io/service-name: plain}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [${address.plain}], targetRef: {kind: Pod, name: plain, namespace: default}}]
---
apiVersion: lateen.dev/v1alpha1
kind: Mesh
metadata: {name: default}
spec: {outboundTraffic: RegistryOnly}
`;

describe("injected Pods", function () {
	this.timeout(60_000);
	if (obstacle !== undefined) {
		it.skip(`are not tried here. ${obstacle}`);
		return;
	}
	let mesh: CapturedMesh;
	let plain: CapturedPod;
	let steered: CapturedPod;

	before(async () => {
		mesh = await CapturedMesh.start(objects);
		[plain, steered] = await Promise.all([
			mesh.pod("plain", address.plain, {
				container: {
					ports: [{ name: "http", containerPort: 8080 }],
					readinessProbe: { httpGet: { path: "/healthy", port: "http" } },
					livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
					startupProbe: { tcpSocket: { port: 9999 }, periodSeconds: 1 },
				},
			}),
			mesh.pod("steered", address.steered, {
				annotations: {
					"lateen.dev/exclude-inbound-ports": "9090",
					"lateen.dev/exclude-outbound-subnets": `${elsewhere}/32`,
					"lateen.dev/exclude-outbound-ports": "8888",
				},
			}),
		]);
		const { outside } = mesh.network;
		const serve = (pod: CapturedPod, port: number): Promise<void> =>
			pod.namespace.call("serveHttp", {
				name: pod.name,
				address: "0.0.0.0",
				port,
			});
		await Promise.all([
			serve(plain, 8080),
			serve(steered, 8080),
			serve(steered, 9090),
			...[80, 8888].map((port) =>
				outside.call("serveHttp", {
					name: "outside",
					address: "0.0.0.0",
					port,
				}),
			),
		]);
	});
	after(() => mesh?.[Symbol.asyncDispose]());

	/** As the kubelet of the node, which is outside of the Pod. */
	const askPod = (ip: string, port: number, path = "/"): Promise<HttpAnswer> =>
		mesh.network.outside.call("ask", { address: ip, port, path });

	const seen = ({ status, body }: HttpAnswer): Seen => {
		expect(status, body).to.equal(200);
		return JSON.parse(body);
	};

	it("are ready, and show their figures, on a port that is not captured", async () => {
		expect((await askPod(address.plain, 15020, "/ready")).status).to.equal(200);
		expect(
			(await askPod(address.plain, 15020, "/stats/prometheus")).body,
		).to.include("envoy_server_live");
	});

	it("have their application asked by the proxy, past the rules of capture", async () => {
		const answer = seen(
			await askPod(address.plain, 15020, "/probes/app/readinessProbe"),
		);
		expect(answer).to.include({
			application: "plain",
			url: "/healthy",
			from: byProxy,
		});
		// The inbound side would have given it one.
		expect(answer.headers).to.not.have.property("x-request-id");
	});

	it("tell whether their application listens, which the proxy's own port would hide", async () => {
		await eventually(async () => {
			const status = async (probe: string): Promise<number> =>
				(await askPod(address.plain, 15020, `/probes/app/${probe}`)).status;
			expect(await status("livenessProbe")).to.equal(200);
			expect(await status("startupProbe")).to.equal(503);
		});
	});

	it("are called past their proxy on excluded ports, and on no others", async () => {
		expect(seen(await askPod(address.steered, 8080)).from).to.equal(byProxy);
		expect(seen(await askPod(address.steered, 9090)).from).to.equal(gateway);
	});

	it("call past their proxy to excluded subnets and ports, and are held to the mesh elsewhere", async () => {
		const call = (ip: string, port: number): Promise<HttpAnswer> =>
			steered.namespace.call("ask", { address: ip, port });
		for (const [ip, port] of [
			[elsewhere, 80],
			[gateway, 8888],
		] as const)
			expect(seen(await call(ip, port))).to.include({
				application: "outside",
				from: address.steered,
			});
		const refused = await call(gateway, 80).then(
			({ status }) => status,
			() => 0,
		);
		expect(refused).to.be.oneOf([0, 404, 502, 503]);
		expect(seen(await call(vip, 80))).to.include({
			application: "plain",
			from: byProxy,
		});
	});
});
