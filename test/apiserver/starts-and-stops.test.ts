import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { applyCrd } from "../testkit/apply-crd.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	ApiClient,
	type KubeCluster,
	kubectl,
	newNamespace,
	ownCluster,
	sharedCluster,
} from "../testkit/kube-cluster.ts";
import { StartingReplica } from "../testkit/starting-replica.ts";
import { readCrds } from "./crds/crd-files.ts";

describe("a replica that starts on an API server", () => {
	let cluster: KubeCluster;

	before(async () => {
		cluster = await sharedCluster();
	});

	it("says that its namespace does not exist and what to do, and goes on when it does", async () => {
		const namespace = `t-${randomUUID().slice(0, 13)}`;
		await using replica = new StartingReplica({
			kubeconfig: cluster.kubeconfig,
			namespace,
		});
		await eventually(async () => {
			const { status, body } = await replica.ask("/readyz");
			expect(status).to.equal(503);
			expect(JSON.stringify(body)).to.include(
				`the leader has made a serving certificate: There is no namespace ${namespace}`,
			);
		}, 30_000);
		expect((await replica.problems()).join()).to.include(
			`kubectl create namespace ${namespace}`,
		);
		expect(replica.complaints.join()).to.include(
			`kubectl create namespace ${namespace}`,
		);
		await kubectl(cluster, ["create", "namespace", namespace]);
		await replica.ready;
		// Objects of other suites on this API server have troubles of their own.
		await eventually(async () =>
			expect((await replica.problems()).join()).not.to.include(namespace),
		);
		expect(replica.failures).to.deep.equal([]);
	}).timeout(90_000);

	it("says that CRDs of its own are missing, serves when it knows what was in force, and is complete when they are there", async () => {
		await using own = await ownCluster({ crds: false });
		const { LastGood, ProxyReport, ...others } = Object.fromEntries(readCrds());
		for (const crd of Object.values(others)) await applyCrd(own, crd);
		const namespace = await newNamespace(own);
		await using replica = new StartingReplica({
			kubeconfig: own.kubeconfig,
			namespace,
		});
		await eventually(async () => {
			const { body } = await replica.ask("/readyz");
			expect(JSON.stringify(body)).to.match(
				/what was in force before is read: The API server does not know lastgoods .*Apply the CRDs/,
			);
		}, 30_000);
		expect((await replica.problems()).join()).to.include(
			"lastgoods.lateen.dev: ",
		);
		expect(replica.complaints.join()).to.include("Apply the CRDs");
		const refused = await replica.ask("/v1/status");
		expect(refused.status).to.equal(503);
		expect(JSON.stringify(refused.body)).to.include("The server is starting.");

		await applyCrd(own, LastGood);
		await replica.ready;
		expect((await replica.problems()).join()).to.match(
			/proxyreports[.]lateen[.]dev: .*Apply the CRDs/,
		);
		await applyCrd(own, ProxyReport);
		await eventually(
			async () => expect(await replica.problems()).to.deep.equal([]),
			30_000,
		);
		expect(replica.failures).to.deep.equal([]);
	}).timeout(120_000);

	it("is stopped within seconds, and gives up the lead, however much it has not written yet", async () => {
		const namespace = await newNamespace(cluster);
		using client = await ApiClient.of(cluster);
		const rules = `/apis/lateen.dev/v1alpha1/namespaces/${namespace}/routerules`;
		const names = Array.from({ length: 600 }, (_, at) => `rule-${at}`);
		const make = async (): Promise<void> => {
			for (let name = names.pop(); name !== undefined; name = names.pop()) {
				const { status } = await client.ask("POST", rules, {
					apiVersion: "lateen.dev/v1alpha1",
					kind: "RouteRule",
					metadata: { name },
					spec: { destination: { name: "web" }, respond: { status: 200 } },
				});
				expect(status).to.equal(201);
			}
		};
		await Promise.all(Array.from({ length: 8 }, make));
		await using replica = new StartingReplica({
			kubeconfig: cluster.kubeconfig,
			namespace,
		});
		await replica.ready;
		const startMs = performance.now();
		await replica.stop();
		expect(performance.now() - startMs).to.be.below(10_000);
		const holder = await kubectl(cluster, [
			...["-n", namespace, "get", "lease", "lateen-leader"],
			...["-o", "jsonpath={.spec.holderIdentity}"],
		]);
		expect(holder).to.equal("");
		// Other tests start on the same server.
		await client.ask("DELETE", rules);
	}).timeout(120_000);
});
