import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { eventually } from "../testkit/eventually.ts";
import {
	ApiClient,
	type KubeCluster,
	kubectl,
	newNamespace,
	type OwnCluster,
	ownCluster,
	sharedCluster,
} from "../testkit/kube-cluster.ts";

const POD = JSON.stringify({
	apiVersion: "v1",
	kind: "Pod",
	metadata: { name: "web-1" },
	spec: {
		serviceAccountName: "web",
		containers: [{ name: "web", image: "web" }],
	},
});

describe("the cluster that test files share", () => {
	let cluster: KubeCluster;
	let namespace: string;
	before(async () => {
		cluster = await sharedCluster();
		namespace = await newNamespace(cluster);
	});
	const inNamespace = (args: readonly string[], input?: string) =>
		kubectl(cluster, ["-n", namespace, ...args], input);

	it("says the version that it is of", async () => {
		const version = JSON.parse(
			await kubectl(cluster, ["version", "-o", "json"]),
		) as { serverVersion: { gitVersion: string } };
		expect(version.serverVersion.gitVersion).to.equal("v1.35.4");
	});

	it("serves our kinds", async () => {
		const kinds = await kubectl(cluster, [
			...["api-resources", "--api-group=lateen.dev", "-o", "name"],
		]);
		expect(kinds.trim().split("\n")).to.include.members([
			"externalservices.lateen.dev",
			"meshes.lateen.dev",
			"routerules.lateen.dev",
		]);
	});

	it("takes a pod whose service account nobody has made", async () => {
		await inNamespace(["create", "-f", "-"], POD);
		expect(await inNamespace(["get", "pods", "-o", "name"])).to.equal(
			"pod/web-1\n",
		);
	});

	it("gives tokens that are bound to a pod and to an audience", async () => {
		await inNamespace(["create", "serviceaccount", "web"]);
		const token = await inNamespace([
			...["create", "token", "web", "--audience=lateen.dev"],
			...["--bound-object-kind=Pod", "--bound-object-name=web-1"],
		]);
		using client = await ApiClient.of(cluster);
		const review = await client.ask(
			"POST",
			"/apis/authentication.k8s.io/v1/tokenreviews",
			{
				apiVersion: "authentication.k8s.io/v1",
				kind: "TokenReview",
				spec: { token: token.trim(), audiences: ["lateen.dev"] },
			},
		);
		const { status } = review.body as {
			status: {
				authenticated: boolean;
				user: { username: string; extra: object };
			};
		};
		expect(status).to.deep.include({ authenticated: true });
		expect(status.user.username).to.equal(
			`system:serviceaccount:${namespace}:web`,
		);
		expect(status.user.extra).to.deep.include({
			"authentication.kubernetes.io/pod-name": ["web-1"],
		});
	});

	it("writes down who did what", async () => {
		await inNamespace(["create", "configmap", "seen"]);
		await eventually(async () => {
			const events = (await readFile(cluster.auditLog, "utf8"))
				.split("\n")
				.filter((line) => line.includes(`"namespace":"${namespace}"`))
				.map((line) => JSON.parse(line) as Record<string, unknown>);
			expect(
				events.map(({ verb, objectRef }) => [
					verb,
					(objectRef as { resource: string }).resource,
				]),
			).to.deep.include(["create", "configmaps"]);
		});
	});
});

describe("a cluster of one's own", () => {
	let cluster: OwnCluster;
	before(async () => {
		cluster = await ownCluster({ crds: false });
	});
	after(async () => {
		await cluster[Symbol.asyncDispose]();
	});

	it("has its objects again after its API server was killed", async () => {
		await kubectl(cluster, ["create", "configmap", "kept"]);
		await cluster.killApiserver();
		await kubectl(cluster, ["get", "configmaps"]).then(
			() => expect.fail("it still answers"),
			(error: Error) => expect(error.message).to.contain("refused"),
		);
		await cluster.startApiserver();
		expect(
			await kubectl(cluster, ["get", "configmaps", "-o", "name"]),
		).to.equal("configmap/kept\n");
	});

	it("refuses old versions after it was compacted and started again", async () => {
		using client = await ApiClient.of(cluster);
		const list = "/api/v1/namespaces/default/configmaps";
		const before = await client.ask("GET", list);
		const { resourceVersion } = (
			before.body as { metadata: { resourceVersion: string } }
		).metadata;
		await kubectl(cluster, ["create", "configmap", "one"]);
		await kubectl(cluster, ["create", "configmap", "two"]);
		await cluster.compactEtcd();
		await cluster.stopApiserver();
		await cluster.startApiserver();
		using again = await ApiClient.of(cluster);
		const watched = await again.ask(
			"GET",
			`${list}?watch=1&timeoutSeconds=1&resourceVersion=${resourceVersion}`,
		);
		expect(JSON.stringify(watched.body)).to.contain("Expired");
	});

	it("is reached at another address by another kubeconfig", async () => {
		const other = cluster.server.replace("127.0.0.1", "localhost");
		const kubeconfig = await cluster.kubeconfigFor(other);
		expect(
			await kubectl({ ...cluster, kubeconfig }, ["cluster-info"]),
		).to.contain(other);
	});
});
