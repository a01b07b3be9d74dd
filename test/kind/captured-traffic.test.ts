// What reaches a pod through its proxy, and through its callers'.

import { expect } from "chai";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import { BY_PROXY, KindWorld } from "../testkit/kind-world.ts";

describe("captured traffic of pods", () => {
	let world: KindWorld;
	let meshed: KindNamespace;
	let plain: KindNamespace;

	before(async () => {
		world = await KindWorld.start();
		({ meshed, plain } = world);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	for (const name of [
		"web",
		"web.NAMESPACE",
		"web.NAMESPACE.svc.cluster.local",
	]) {
		it(`goes by HTTP to the name ${name}`, async () => {
			const url = `http://${name.replace("NAMESPACE", meshed.name)}/`;
			expect((await meshed.ask("client", url)).from).to.equal(BY_PROXY);
		});
	}

	it("goes by HTTP to a Service's address", async () => {
		const address = await meshed.kubectl(
			...["get", "service", "web", "-o", "jsonpath={.spec.clusterIP}"],
		);
		const { pod, from } = await meshed.ask("client", `http://${address}/`);
		expect(pod).to.match(/^web-/);
		expect(from).to.equal(BY_PROXY);
	});

	it("goes by HTTP to a headless Service", async () => {
		const { pod, from } = await meshed.ask("client", "http://headless:8080/");
		expect(pod).to.match(/^web-/);
		expect(from).to.equal(BY_PROXY);
	});

	it("goes by TCP where the server speaks first", async () => {
		expect(await meshed.run("client", "tcp", "tcp", "9000")).to.match(
			/^hello from web-\S+\nagain\n/,
		);
	});

	it("goes by HTTP/2 with trailers, as gRPC is", async () => {
		expect(await meshed.run("client", "grpc", "http://grpc:7000")).to.match(
			/^0 web-/,
		);
	});

	it("goes from a pod to itself by its Service", async () => {
		const { pod } = await meshed.ask("client", "http://self/");
		expect(pod).to.equal("client");
	});

	it("comes from a pod without a proxy", async () => {
		const { from } = await plain.ask("client", `http://web.${meshed.name}/`);
		expect(from).to.equal(BY_PROXY);
	});

	it("goes to a pod without a proxy", async () => {
		const { pod, from } = await meshed.ask(
			"client",
			`http://client.${plain.name}/`,
		);
		expect(pod).to.equal("client");
		expect(from).not.to.equal(BY_PROXY);
	});

	it("is not what comes to ports that a pod excludes", async () => {
		const address = await meshed.kubectl(
			...["get", "pod", "client", "-o", "jsonpath={.status.podIP}"],
		);
		const from = async (port: number): Promise<string> =>
			(await plain.ask("client", `http://${address}:${port}/`)).from;
		expect(await from(8080)).to.equal(BY_PROXY);
		expect(await from(8081)).not.to.equal(BY_PROXY);
	});
});
