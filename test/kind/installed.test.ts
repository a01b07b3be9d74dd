// Lateen as it is installed: its images, its manifests, and the pods that it injects.

import { expect } from "chai";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import { jobObject, ruleObject } from "../testkit/kind-objects.ts";
import { BY_PROXY, KindWorld } from "../testkit/kind-world.ts";
import { kubectl } from "../testkit/kube-cluster.ts";

describe("Lateen as installed", () => {
	let world: KindWorld;
	let meshed: KindNamespace;

	before(async () => {
		world = await KindWorld.start();
		({ meshed } = world);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	it("has two replicas that are ready, under the strictest level of Pod Security, and one leads", async () => {
		const { status } = JSON.parse(
			await world.inSystem("get", "deployment", "lateen", "-o", "json"),
		) as { readonly status: { readonly readyReplicas: number } };
		expect(status.readyReplicas).to.equal(2);
		const level = await kubectl(world.cluster, [
			...["get", "namespace", "lateen-system", "-o"],
			"jsonpath={.metadata.labels.pod-security\\.kubernetes\\.io/enforce}",
		]);
		expect(level).to.equal("restricted");
		const pods = await world.inSystem(
			...["get", "pods", "-l", "app=lateen", "-o", "name"],
		);
		const { pod } = await world.leader();
		expect(pods.trim().split("\n")).to.include(`pod/${pod}`);
	});

	it("is asked about objects of ours, by its own certificate", async () => {
		const bad = { destination: { name: "web" }, timeout: "-1s" };
		expect(await meshed.refusalOf(ruleObject("bad", bad))).to.contain(
			"timeout",
		);
		// What the CRD cannot say.
		const worse = {
			destination: { name: "web" },
			match: [{ path: { regex: "(?=a)" } }],
		};
		expect(await meshed.refusalOf(ruleObject("worse", worse))).to.contain(
			"regex",
		);
	});

	it("gives a proxy to the pods of a namespace that asks, and to no others", async () => {
		const containers = async (namespace: KindNamespace): Promise<string> =>
			await namespace.kubectl(
				...["get", "pod", "client", "-o"],
				"jsonpath={.spec.initContainers[*].name}",
			);
		expect(await containers(meshed)).to.equal("lateen-capture lateen-proxy");
		expect(await containers(world.plain)).to.equal("");
	});

	it("asks applications' probes on behalf of the kubelet", async () => {
		const readiness = await meshed.kubectl(
			...["get", "pod", "client", "-o"],
			"jsonpath={.spec.containers[0].readinessProbe.httpGet.port}",
		);
		expect(readiness).to.equal("15020");
		await meshed.ask("client", "http://localhost:8080/be-unready");
		await meshed.kubectl(
			...["wait", "pod/client", "--for=condition=Ready=False"],
			"--timeout=60s",
		);
		await meshed.ask("client", "http://localhost:8080/be-ready");
		await meshed.ready("pod/client");
	});

	it("lets a Job complete that has a proxy and uses it at once", async () => {
		await meshed.apply(jobObject("once", ["ask", "http://web/"]));
		await meshed.kubectl(
			...["wait", "job/once", "--for=condition=Complete", "--timeout=120s"],
		);
		expect(await meshed.kubectl("logs", "job/once", "-c", "app")).to.contain(
			`"from":"${BY_PROXY}"`,
		);
	});
});
