import { expect } from "chai";
import { installCrds } from "../../../hack/cluster/install-crds.ts";
import { eventually } from "../../testkit/eventually.ts";
import {
	ApiClient,
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../../testkit/kube-cluster.ts";
import { type Crd, readCrds, schemaOf } from "./crd-files.ts";

const RULES = "/apis/lateen.dev/v1alpha1/namespaces/default/routerules";

/** Today's RouteRule without a field, a default and the rules of its spec, as if it had not had them once. */
function olderRouteRule(): Crd {
	const crd = structuredClone(readCrds().get("RouteRule"));
	if (crd === undefined) throw new Error("There is no CRD of RouteRule.");
	const spec = schemaOf(crd).properties?.["spec"] as unknown as Mutable;
	delete spec.properties["retries"];
	delete spec.properties["precedence"]?.["default"];
	delete spec["x-kubernetes-validations"];
	return crd;
}

type Mutable = {
	properties: Record<string, Record<string, unknown>>;
	"x-kubernetes-validations"?: unknown;
};

function rule(name: string, spec: object): string {
	return JSON.stringify({
		apiVersion: "lateen.dev/v1alpha1",
		kind: "RouteRule",
		metadata: { name },
		spec: { destination: { name: "reviews" }, ...spec },
	});
}

describe("the upgrade of a CRD with objects in place", () => {
	let cluster: OwnCluster;
	let client: ApiClient;
	let uids: ReadonlyMap<string, string>;

	before(async () => {
		cluster = await ownCluster({ crds: false });
		client = await ApiClient.of(cluster);
		await kubectl(
			cluster,
			["apply", "--server-side", "-f", "-"],
			JSON.stringify(olderRouteRule()),
		);
		await kubectl(cluster, [
			...["wait", "--for=condition=Established", "--timeout=60s"],
			"crd/routerules.lateen.dev",
		]);
		await eventually(async () => {
			expect((await client.ask("GET", RULES)).status).to.equal(200);
		});
		for (const object of [
			rule("plain", { timeout: "1s" }),
			// Which was allowed then.
			rule("no-weights", { route: [{ weight: 0 }], timeout: "1s" }),
		]) {
			await kubectl(cluster, ["apply", "--server-side", "-f", "-"], object);
		}
		uids = await uidsByName();
		await installCrds(cluster);
	});
	after(async () => {
		client[Symbol.dispose]();
		await cluster[Symbol.asyncDispose]();
	});

	async function uidsByName(): Promise<ReadonlyMap<string, string>> {
		// For a moment after a change of the CRD the server asks to come back later.
		const { body } = await eventually(async () => {
			const answer = await client.ask("GET", RULES);
			expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
			return answer;
		});
		const { items } = body as {
			readonly items: readonly {
				readonly metadata: { readonly name: string; readonly uid: string };
			}[];
		};
		return new Map(items.map(({ metadata }) => [metadata.name, metadata.uid]));
	}

	it("keeps all objects", async () => {
		expect(uids).to.have.keys("plain", "no-weights");
		expect(await uidsByName()).to.deep.equal(uids);
	});

	it("reads new defaults into them", async () => {
		await eventually(async () => {
			const { body } = await client.ask("GET", `${RULES}/plain`);
			expect(body).to.have.nested.property("spec.precedence", 0);
		});
	});

	it("takes new fields", async () => {
		await eventually(async () => {
			await kubectl(
				cluster,
				["apply", "--server-side", "-f", "-"],
				rule("plain", { timeout: "1s", retries: { attempts: 3 } }),
			);
		});
		const { body } = await client.ask("GET", `${RULES}/plain`);
		expect(body).to.have.nested.property("spec.retries.attempts", 3);
	});

	it("leaves an object that a new rule refuses, also when its labels change", async () => {
		await kubectl(cluster, ["label", "rr", "no-weights", "team=web"]);
		const { body } = await client.ask("GET", `${RULES}/no-weights`);
		expect(body).to.have.nested.property("spec.route[0].weight", 0);
		expect(body).to.have.nested.property("metadata.labels.team", "web");
	});

	it("refuses such an object when somebody writes it anew, and says why", async () => {
		const answer = await kubectl(
			cluster,
			["patch", "rr", "no-weights", "--type=merge", "-p"].concat(
				JSON.stringify({ spec: { timeout: "2s" } }),
			),
		).then(
			() => "taken",
			(error: Error) => error.message,
		);
		expect(answer).to.contain("All weights are 0");
	});

	it("lets its status be written all the same", async () => {
		const { status, body } = await client.ask(
			"PATCH",
			`${RULES}/no-weights/status`,
			{ status: { observedGeneration: 1 } },
			{ "content-type": "application/merge-patch+json" },
		);
		expect(status, JSON.stringify(body)).to.equal(200);
	});

	it("changes nothing when it is done again", async () => {
		const generation = async () =>
			await kubectl(cluster, [
				...["get", "crd", "routerules.lateen.dev"],
				...[
					"-o",
					"jsonpath={.metadata.generation} {.metadata.resourceVersion}",
				],
			]);
		const before = await generation();
		await installCrds(cluster);
		expect(await generation()).to.equal(before);
	});
});
