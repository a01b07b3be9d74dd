// A control plane on an API server whose CRDs are missing or of an older version.

import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { installCrds } from "../../../hack/cluster/install-crds.ts";
import { applyCrd } from "../../testkit/apply-crd.ts";
import type { ClusterReplica } from "../../testkit/cluster-replica.ts";
import { ClusterWorld } from "../../testkit/cluster-world.ts";
import { type OwnCluster, ownCluster } from "../../testkit/kube-cluster.ts";
import { readCrds } from "../crds/crd-files.ts";

/** Longer than the time after which a status is put right. Milliseconds. */
const longMs = 5000;

describe("CRDs on an API server that are", function () {
	this.timeout(180_000);
	let cluster: OwnCluster;
	let world: ClusterWorld;

	beforeEach(async () => {
		cluster = await ownCluster({ crds: false });
		world = await ClusterWorld.create(cluster);
	});

	afterEach(async () => {
		await world?.[Symbol.asyncDispose]();
		await cluster?.[Symbol.asyncDispose]();
	});

	async function apply(...crds: readonly unknown[]): Promise<void> {
		for (const crd of crds) await applyCrd(cluster, crd);
	}

	it("missing are waited for, and the control plane starts by itself when they are there", async () => {
		let replica: ClusterReplica | undefined;
		const starting = world.replica("lateen-0").then((started) => {
			replica = started;
		});
		// Whatever it does meanwhile, it neither ends nor serves proxies that would be told that there are no rules.
		await Promise.race([starting, setTimeout(longMs)]);
		expect(replica).to.equal(undefined);
		await installCrds(cluster);
		await starting;
		if (replica === undefined) throw new Error("It did not start.");
		const proxy = await world.proxy(replica, "web-1");
		await world.answer("first");
		await world.wait("web", "Programmed", 60);
		expect(proxy.has("first")).to.equal(true);
	});

	it("missing for one kind stop no other, which is told, and the kind is read when it is there", async () => {
		const crds = readCrds();
		const { RouteRule, ...others } = Object.fromEntries(crds);
		await apply(...Object.values(others));
		const replica = await world.replica("lateen-0");
		const proxy = await world.proxy(replica, "web-1");
		expect(JSON.stringify(await replica.ask("/v1/problems"))).to.include(
			"routerules",
		);
		await apply(RouteRule);
		await world.answer("first");
		await world.wait("web", "Programmed", 60);
		expect(proxy.has("first")).to.equal(true);
	});

	it("older, with fewer fields and fewer checks, are worked with as far as they go", async () => {
		const crds = readCrds();
		const { RouteRule, ...others } = Object.fromEntries(crds);
		await apply(older(RouteRule), ...Object.values(others));
		const replica = await world.replica("lateen-0");
		const proxy = await world.proxy(replica, "web-1");
		await world.answer("first");
		await world.wait("web", "Ready");
		expect(proxy.has("first")).to.equal(true);

		// Nobody here refuses this but the control plane.
		await world.apply(`apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: bad}
spec:
  destination: {name: web}
  route: [{labels: {version: v1}, weight: -100}]
`);
		await world.wait("bad", "Accepted=false");
		const { message } = (await world.condition("bad", "Accepted")) ?? {};
		expect(message).to.include("spec.route[0].weight");

		// What the status cannot hold is not written again and again.
		const writes = await replica.figure("lateen_kube_status_writes_total");
		await setTimeout(longMs);
		expect(await replica.figure("lateen_kube_status_writes_total")).to.equal(
			writes,
		);
		const status = await world.kubectl(
			...["get", "rr", "web", "-o", "jsonpath={.status}"],
		);
		expect(status).not.to.include('acknowledged":');

		// With the newer CRDs it goes on; the counts follow within a minute, which a unit of the writer waits for.
		await installCrds(cluster);
		await world.answer("second");
		await world.wait("web", "Ready", 30);
		expect(proxy.has("second")).to.equal(true);
	});
});

/** A CRD as an earlier version may have been: without counts of proxies in the status, and without checks of values. */
function older(crd: unknown): unknown {
	return JSON.parse(
		JSON.stringify(crd, (key, value: unknown) => {
			if (key === "x-kubernetes-validations" || key === "minimum")
				return undefined;
			if (key === "proxies") return undefined;
			return value;
		}),
	);
}
