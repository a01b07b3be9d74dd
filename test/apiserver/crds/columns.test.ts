import { expect } from "chai";
import {
	ApiClient,
	type KubeCluster,
	kubectl,
	newNamespace,
	sharedCluster,
} from "../../testkit/kube-cluster.ts";

const AT = "2026-01-31T12:00:00Z";

const OBJECTS = `
apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: canary}
spec:
  destination: {name: reviews}
  precedence: 20
  route: [{labels: {version: v2}}]
---
apiVersion: lateen.dev/v1alpha1
kind: RouteRule
metadata: {name: to-host}
spec:
  destination: {host: api.example.com}
  timeout: 1s
---
apiVersion: lateen.dev/v1alpha1
kind: ExternalService
metadata: {name: api}
spec:
  hosts: [api.example.com]
  ports: [{number: 443, name: https, protocol: HTTPS}]
  resolution: DNS
`;

/** What Lateen says of a rule whose destination is not there. */
const STATUS = {
	status: {
		observedGeneration: 1,
		conditions: [
			condition("Accepted", "True", "Accepted"),
			condition("ResolvedRefs", "False", "NoSuchService"),
			condition("Programmed", "Unknown", "NoProxies"),
			condition("Ready", "False", "NoSuchService"),
		],
		proxies: { total: 0, acknowledged: 0, rejected: 0 },
	},
};

function condition(type: string, status: string, reason: string): object {
	const message = "A sentence.";
	return { type, status, reason, message, lastTransitionTime: AT };
}

describe("kubectl get", () => {
	let cluster: KubeCluster;
	let namespace: string;
	before(async () => {
		cluster = await sharedCluster();
		namespace = await newNamespace(cluster);
		await inNamespace(["create", "-f", "-"], OBJECTS);
		for (const name of ["rr/canary", "extsvc/api"]) {
			await inNamespace([
				...["patch", name, "--subresource=status", "--type=merge"],
				...["-p", JSON.stringify(STATUS)],
			]);
		}
	});
	const inNamespace = (args: readonly string[], input?: string) =>
		kubectl(cluster, ["-n", namespace, ...args], input);
	const table = async (args: readonly string[]) =>
		(await inNamespace(["get", ...args]))
			.trim()
			.split("\n")
			.map((line) => line.split(/ {2,}/).slice(0, -1));

	it("shows of RouteRules what they are about and whether they work", async () => {
		expect(await table(["rr"])).to.deep.equal([
			...[["NAME", "SERVICE", "PRECEDENCE", "READY", "PROGRAMMED", "REASON"]],
			...[["canary", "reviews", "20", "False", "Unknown", "NoSuchService"]],
			// No status yet, and no service.
			...[["to-host", "0"]],
		]);
	});

	it("shows the host of RouteRules when there is room", async () => {
		const [head, , toHost] = await table(["rr", "-o", "wide"]);
		expect(head).to.include("HOST");
		expect(toHost).to.include("api.example.com");
	});

	it("shows of ExternalServices where they are and whether they work", async () => {
		expect(await table(["extsvc"])).to.deep.equal([
			["NAME", "HOSTS", "RESOLUTION", "READY", "PROGRAMMED", "REASON"],
			...[["api", '["api.example.com"]', "DNS", "False", "Unknown"]].map(
				(row) => [...row, "NoSuchService"],
			),
		]);
	});

	it("shows of the Mesh its main settings and whether they are in force", async () => {
		using client = await ApiClient.of(cluster);
		// Asked for without making it: there is only one, and others see it.
		const { body } = await client.ask(
			"POST",
			"/apis/lateen.dev/v1alpha1/meshes?dryRun=All",
			{
				apiVersion: "lateen.dev/v1alpha1",
				kind: "Mesh",
				metadata: { name: "default" },
			},
			{ accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
		);
		const { columnDefinitions, rows } = body as {
			readonly columnDefinitions: readonly { readonly name: string }[];
			readonly rows: readonly { readonly cells: readonly unknown[] }[];
		};
		expect(columnDefinitions.map(({ name }) => name)).to.deep.equal([
			...["Name", "Trust Domain", "Outbound", "Ready", "Programmed"],
			...["Reason", "Age"],
		]);
		expect(rows[0]?.cells.slice(0, 3)).to.deep.equal([
			"default",
			"cluster.local",
			"AllowAny",
		]);
	});

	it("shows everything that people have written by the category lateen", async () => {
		const names = await inNamespace(["get", "lateen", "-o", "name"]);
		expect(names.trim().split("\n")).to.include.members([
			"externalservice.lateen.dev/api",
			"routerule.lateen.dev/canary",
			"routerule.lateen.dev/to-host",
		]);
	});

	it("can wait for what Lateen says of an object", async () => {
		await inNamespace([
			...["wait", "--for=condition=Accepted", "--timeout=20s", "rr/canary"],
		]);
		await inNamespace([
			...["wait", "--for=condition=Ready=False", "--timeout=20s", "rr/canary"],
		]);
	});

	it("keeps a status that a person writes into an object away from it", async () => {
		const withStatus = { ...STATUS, apiVersion: "lateen.dev/v1alpha1" };
		await inNamespace(
			["create", "-f", "-"],
			JSON.stringify({
				...withStatus,
				kind: "RouteRule",
				metadata: { name: "forged" },
				spec: { destination: { name: "reviews" } },
			}),
		);
		const forged = await inNamespace(["get", "rr", "forged", "-o", "json"]);
		// That nobody has observed it yet is what the schema says.
		expect(JSON.parse(forged))
			.to.have.property("status")
			.that.deep.equals({ observedGeneration: -1 });
	});
});
