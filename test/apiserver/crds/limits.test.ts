import { expect } from "chai";
import {
	ApiClient,
	type KubeCluster,
	kubectl,
	newNamespace,
	sharedCluster,
} from "../../testkit/kube-cluster.ts";
import { readCrds } from "./crd-files.ts";

/** So many different things. */
function many<T>(count: number, make: (index: number) => T): T[] {
	return Array.from({ length: count }, (_, index) => make(index));
}

/** As many as the schema allows, of what CEL rules look into. */
const LARGEST = {
	apiVersion: "lateen.dev/v1alpha1",
	kind: "RouteRule",
	metadata: { name: "largest" },
	spec: {
		destination: { name: "reviews" },
		match: many(32, (entry) => ({
			path: { prefix: `/${entry}` },
			headers: Object.fromEntries(
				many(32, (header) => [`x-${header}`, { exact: "v".repeat(200) }]),
			),
			fault: { abort: { httpStatus: 500 } },
		})),
		route: many(32, (target) => ({
			destination: { host: `h${target}.example.com` },
			labels: Object.fromEntries(
				many(32, (label) => [`l${label}`, "v".repeat(63)]),
			),
			// The rule about weights looks at the last one too.
			weight: target === 31 ? 1 : 0,
		})),
		mirror: many(8, (copy) => ({
			destination: { host: `m${copy}.example.com` },
		})),
	},
};

describe("the CRDs of ours", () => {
	let cluster: KubeCluster;
	before(async () => {
		cluster = await sharedCluster();
	});

	it("are established, structural, and within what CEL rules may cost", async () => {
		const names = [...readCrds().values()].map((crd) => crd.metadata.name);
		const list = JSON.parse(
			await kubectl(cluster, ["get", "crd", ...names, "-o", "json"]),
		) as {
			items: {
				metadata: { name: string };
				status: { conditions: { type: string; status: string }[] };
			}[];
		};
		expect(list.items).to.have.lengthOf(names.length);
		for (const { metadata, status } of list.items) {
			const holds = status.conditions
				.filter((condition) => condition.status === "True")
				.map(({ type }) => type);
			expect(holds, metadata.name).to.have.members([
				"NamesAccepted",
				"Established",
			]);
		}
	});

	it("are taken without a warning", async () => {
		using client = await ApiClient.of(cluster);
		for (const [kind, crd] of readCrds()) {
			const { metadata } = crd;
			const { status, warnings, body } = await client.ask(
				"PATCH",
				`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}?dryRun=All&force=true&fieldManager=test&fieldValidation=Strict`,
				crd,
				{ "content-type": "application/apply-patch+yaml" },
			);
			expect(status, JSON.stringify(body)).to.equal(200);
			expect(warnings, kind).to.deep.equal([]);
		}
	});

	it("take the largest rule that their schema allows", async () => {
		const namespace = await newNamespace(cluster);
		using client = await ApiClient.of(cluster);
		const { status, body } = await client.ask(
			"POST",
			`/apis/lateen.dev/v1alpha1/namespaces/${namespace}/routerules?fieldValidation=Strict`,
			LARGEST,
		);
		expect(status, JSON.stringify(body).slice(0, 1_000)).to.equal(201);
	});
});
