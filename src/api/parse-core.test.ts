import { expect } from "chai";
import type { ApiObject } from "./objects.ts";
import { parseObject } from "./parse-object.ts";

function accept(value: unknown): ApiObject {
	const parsed = parseObject(value);
	if (parsed.kind !== "object") throw new Error(JSON.stringify(parsed));
	return parsed.object;
}

function service(spec: object): ApiObject {
	const metadata = { name: "web" };
	return accept({ apiVersion: "v1", kind: "Service", metadata, spec });
}

function slice(rest: object): ApiObject {
	return accept({
		apiVersion: "discovery.k8s.io/v1",
		kind: "EndpointSlice",
		metadata: {
			name: "web-x1",
			labels: { "kubernetes.io/service-name": "web" },
		},
		addressType: "IPv4",
		...rest,
	});
}

describe("a Service", () => {
	it("gets the defaults of the API server", () => {
		const object = service({
			clusterIP: "10.96.0.1",
			ports: [{ port: 80 }],
			selector: { app: "web" },
		});
		expect(object).to.deep.include({
			kind: "Service",
			spec: {
				type: "ClusterIP",
				clusterIPs: ["10.96.0.1"],
				headless: false,
				ports: [{ name: "", port: 80, protocol: "TCP", targetPort: 80 }],
				selector: { app: "web" },
			},
		});
	});

	it("is headless when its cluster IP is None", () => {
		const object = service({ clusterIP: "None", clusterIPs: ["None"] });
		expect("spec" in object && object.spec).to.deep.include({
			headless: true,
			clusterIPs: [],
		});
	});

	it("keeps both addresses of a dual-stack Service", () => {
		const object = service({
			clusterIP: "10.96.0.1",
			clusterIPs: ["10.96.0.1", "fd00::1"],
		});
		expect("spec" in object && object.spec).to.deep.include({
			clusterIPs: ["10.96.0.1", "fd00::1"],
		});
	});

	it("stands for another name when it is of type ExternalName", () => {
		const object = service({ type: "ExternalName", externalName: "a.b.c" });
		expect("spec" in object && object.spec).to.deep.include({
			type: "ExternalName",
			externalName: "a.b.c",
		});
	});

	it("may name its target port and the protocol of the application", () => {
		const object = service({
			ports: [
				{ name: "a", port: 1, targetPort: "http", appProtocol: "grpc" },
				{ name: "b", port: 1, protocol: "UDP", targetPort: 0 },
			],
		});
		expect("spec" in object && object.spec).to.deep.include({
			ports: [
				{
					name: "a",
					port: 1,
					protocol: "TCP",
					appProtocol: "grpc",
					targetPort: "http",
				},
				{ name: "b", port: 1, protocol: "UDP", targetPort: 1 },
			],
		});
	});
});

describe("an EndpointSlice", () => {
	it("takes endpoints without conditions for ready", () => {
		const object = slice({ endpoints: [{ addresses: ["10.1.0.1"] }] });
		expect(object).to.deep.include({
			serviceName: "web",
			addressType: "IPv4",
			endpoints: [
				{
					addresses: ["10.1.0.1"],
					ready: true,
					serving: true,
					terminating: false,
				},
			],
		});
	});

	it("tells ready, serving and terminating apart", () => {
		const conditions = { ready: false, serving: true, terminating: true };
		const object = slice({
			endpoints: [
				{
					addresses: ["10.1.0.1"],
					conditions,
					zone: "a",
					nodeName: "n",
					targetRef: { kind: "Pod", name: "web-1", namespace: "default" },
				},
			],
		});
		expect(object).to.deep.include({
			endpoints: [
				{
					addresses: ["10.1.0.1"],
					...conditions,
					zone: "a",
					nodeName: "n",
					pod: "web-1",
				},
			],
		});
	});

	it("may be empty, as a Service without endpoints has it", () => {
		const object = slice({ endpoints: null, ports: null });
		expect(object).to.deep.include({ endpoints: [], ports: [] });
	});

	it("belongs to no Service without the label", () => {
		const object = slice({ metadata: { name: "x" } });
		expect(object).to.deep.include({ serviceName: "" });
	});
});

describe("a Pod", () => {
	const pod = (spec: object, status: object): ApiObject =>
		accept({
			apiVersion: "v1",
			kind: "Pod",
			metadata: { name: "web-1", labels: { app: "web" } },
			spec,
			status,
		});

	it("runs as the service account default unless it says another", () => {
		expect(pod({}, {})).to.deep.include({ serviceAccount: "default", ips: [] });
		expect(pod({ serviceAccountName: "web" }, {})).to.deep.include({
			serviceAccount: "web",
		});
	});

	it("has all its addresses, and the single one of old servers", () => {
		const both = {
			podIP: "10.1.0.1",
			podIPs: [{ ip: "10.1.0.1" }, { ip: "fd::1" }],
		};
		expect(pod({}, both)).to.deep.include({ ips: ["10.1.0.1", "fd::1"] });
		expect(pod({}, { podIP: "10.1.0.1" })).to.deep.include({
			ips: ["10.1.0.1"],
		});
	});

	it("has the ports of its containers and of init containers that go on", () => {
		const object = pod(
			{
				nodeName: "n",
				containers: [{ ports: [{ name: "http", containerPort: 8080 }] }, {}],
				initContainers: [
					{ restartPolicy: "Always", ports: [{ containerPort: 9090 }] },
					{ ports: [{ containerPort: 1 }] },
				],
			},
			{},
		);
		expect(object).to.deep.include({
			nodeName: "n",
			ports: [
				{ name: "http", containerPort: 8080 },
				{ name: "", containerPort: 9090 },
			],
		});
	});
});

describe("a Node", () => {
	it("has no namespace, whatever is written", () => {
		const object = accept({
			apiVersion: "v1",
			kind: "Node",
			metadata: {
				name: "node-1.example.com",
				namespace: "x",
				labels: { "topology.kubernetes.io/zone": "a" },
			},
		});
		expect(object.metadata).to.deep.include({
			namespace: "",
			name: "node-1.example.com",
			labels: { "topology.kubernetes.io/zone": "a" },
		});
	});
});
