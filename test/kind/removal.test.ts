// Lateen is taken away from under pods that have its proxies.

import { expect } from "chai";
import { uninstallLateen } from "../testkit/kind-mesh.ts";
import { BY_PROXY, KindWorld } from "../testkit/kind-world.ts";
import { kubectl } from "../testkit/kube-cluster.ts";

describe("Lateen that is removed", () => {
	let world: KindWorld;

	before(async () => {
		world = await KindWorld.start();
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	it("leaves nothing, and pods keep what their proxies have", async () => {
		await uninstallLateen(world.cluster);
		const { from } = await world.meshed.ask("client", "http://web/");
		expect(from).to.equal(BY_PROXY);
		const left = await kubectl(world.cluster, [
			...["get", "--all-namespaces", "-o", "name", "--ignore-not-found"],
			...["-l", "app.kubernetes.io/part-of=lateen"],
			"crd,clusterrole,clusterrolebinding,namespace,mutatingwebhookconfiguration,validatingwebhookconfiguration,role,rolebinding",
		]);
		expect(left).to.equal("");
	});
});
