// The sample with the rules of the demo, all of it by `kubectl apply`.

import { join } from "node:path";
import { expect } from "chai";
import { eventually } from "../testkit/eventually.ts";
import {
	type KindCluster,
	sharedKindCluster,
} from "../testkit/kind-cluster.ts";
import { installLateen, LATEEN_IMAGE } from "../testkit/kind-mesh.ts";
import { listOf } from "../testkit/kind-objects.ts";
import { kubectl } from "../testkit/kube-cluster.ts";

const SAMPLE = join(import.meta.dirname, "../../samples/bookinfo");
const OBJECTS = ["services.yaml", "rules"].flatMap((name) => [
	"-f",
	join(SAMPLE, name),
]);
const PODS = [
	["productpage", "v1"],
	["details", "v1"],
	["ratings", "v1"],
	["reviews", "v1"],
	["reviews", "v2"],
	["reviews", "v3"],
] as const;

describe("bookinfo in pods", () => {
	let cluster: KindCluster;

	before(async () => {
		cluster = await sharedKindCluster();
		await installLateen(cluster);
		// Its objects say that they are in this namespace.
		await kubectl(cluster, [
			...["label", "namespace", "default", "lateen.dev/inject=true"],
		]);
		await kubectl(cluster, [
			...["create", "configmap", "bookinfo"],
			`--from-file=${join(SAMPLE, "apps")}`,
		]);
		await kubectl(cluster, ["apply", ...OBJECTS]);
		const pods = PODS.map(([service, version]) => podOf(service, version));
		await kubectl(cluster, ["apply", "-f", "-"], listOf(pods));
		await kubectl(cluster, [
			...["wait", "pod", "-l", "bookinfo", "--for=condition=Ready"],
			"--timeout=180s",
		]);
		await kubectl(cluster, [
			...["wait", "routerule", "--all", "--for=condition=Programmed"],
			"--timeout=60s",
		]);
	});

	after(async () => {
		await kubectl(cluster, ["delete", ...OBJECTS, "--ignore-not-found"]);
		await kubectl(cluster, [
			...["delete", "pod", "-l", "bookinfo", "--grace-period=1"],
		]);
		await kubectl(cluster, [
			...["delete", "configmap", "bookinfo", "--ignore-not-found"],
		]);
		await kubectl(cluster, [
			...["label", "namespace", "default", "lateen.dev/inject-"],
		]);
	});

	/** What the page is made of, and for whom. */
	const page = async (user: string): Promise<string> => {
		const script = `fetch("http://localhost:9080/api/page", { headers: { cookie: "user=${user}" } }).then((got) => got.text()).then(console.log)`;
		return await kubectl(cluster, [
			...["exec", "productpage-v1", "-c", "app", "--"],
			...["/usr/bin/node", "-e", script],
		]);
	};

	it("shares readers among versions as its rules say", async () => {
		const seen = new Set<string>();
		await eventually(async () => {
			seen.add(/"pod":"(reviews-v\d)"/.exec(await page(""))?.[1] ?? "");
			expect([...seen].sort()).to.deep.equal(["reviews-v1", "reviews-v3"]);
		}, 60_000);
	});

	it("gives one reader the version of a rule of his own", async () => {
		const jason = await page("jason");
		expect(jason).to.contain('"pod":"reviews-v2"');
		expect(jason).to.contain('"color":"black"');
	});
});

function podOf(service: string, version: string): object {
	const name = `${service}-${version}`;
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: {
			name,
			namespace: "default",
			labels: { app: service, version, bookinfo: "" },
		},
		spec: {
			serviceAccountName: `bookinfo-${service}`,
			containers: [
				{
					name: "app",
					image: LATEEN_IMAGE,
					imagePullPolicy: "Never",
					command: [
						...["/usr/bin/node", `/app/${service}.ts`],
						...["--listen", "0.0.0.0:9080"],
						...["--version", version, "--pod", name],
					],
					ports: [{ name: "http", containerPort: 9080 }],
					volumeMounts: [{ name: "app", mountPath: "/app" }],
					readinessProbe: { tcpSocket: { port: "http" }, periodSeconds: 1 },
				},
			],
			volumes: [{ name: "app", configMap: { name: "bookinfo" } }],
		},
	};
}
