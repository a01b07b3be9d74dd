// What others do to objects while a control plane serves them.

import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { ClusterWorld } from "../../testkit/cluster-world.ts";
import { eventually } from "../../testkit/eventually.ts";
import {
	ApiClient,
	type OwnCluster,
	ownCluster,
} from "../../testkit/kube-cluster.ts";

/** Longer than the time after which a status is put right, and tried again. Milliseconds. */
const longMs = 5000;

describe("faults around objects on a real API server", function () {
	this.timeout(180_000);
	let cluster: OwnCluster;
	let api: ApiClient;
	let world: ClusterWorld;

	before(async () => {
		cluster = await ownCluster();
		api = await ApiClient.of(cluster);
	});

	after(async () => {
		api?.[Symbol.dispose]();
		await cluster?.[Symbol.asyncDispose]();
	});

	beforeEach(async () => {
		world = await ClusterWorld.create(cluster);
	});

	afterEach(() => world[Symbol.asyncDispose]());

	const rules = (): string =>
		`/apis/lateen.dev/v1alpha1/namespaces/${world.namespace}/routerules`;

	/** One manager's say about a rule. */
	const say = (manager: string, spec: object, name = "web") =>
		api.ask(
			"PATCH",
			`${rules()}/${name}?fieldManager=${manager}&force=true`,
			{
				apiVersion: "lateen.dev/v1alpha1",
				kind: "RouteRule",
				metadata: { name },
				spec: { destination: { name: "web" }, ...spec },
			},
			{ "content-type": "application/apply-patch+yaml" },
		);

	const resourceVersion = async (name: string): Promise<string> =>
		await world.kubectl(
			...["get", "rr", name, "-o", "jsonpath={.metadata.resourceVersion}"],
		);

	it("two writers of one spec leave the last word to the last, and the status speaks of that", async () => {
		const replica = await world.replica("lateen-0");
		const proxy = await world.proxy(replica, "web-1");
		await world.answer("none-yet");
		await world.wait("web", "Programmed");
		const turns = Array.from({ length: 20 }, (_, turn) => turn);
		await Promise.all(
			["first", "second"].map(async (manager) => {
				for (const turn of turns) {
					const { status } = await say(manager, {
						match: [{ path: { exact: "/web" } }],
						respond: { status: 200, body: `${manager}-${turn}.` },
					});
					expect(status).to.equal(200);
				}
			}),
		);
		await world.wait("web", "Programmed");
		const body = await world.kubectl(
			...["get", "rr", "web", "-o", "jsonpath={.spec.respond.body}"],
		);
		expect(body).to.match(/^(first|second)-19\.$/);
		expect(proxy.has(body)).to.equal(true);
		const { generation, about } = (await world.condition("web")) ?? {};
		expect(about).to.equal(generation);
	});

	it("a bad form that got in changes nothing, and nobody is told that it is live", async () => {
		const replica = await world.replica("lateen-0");
		const proxy = await world.proxy(replica, "web-1");
		await world.answer("first");
		await world.wait("web", "Ready");
		const bad = { match: [{ path: { regex: "(?=a)" } }] };
		expect((await say("test", bad)).status).to.equal(200);
		await world.wait("web", "Accepted=false");
		// What is live is the generation before, which kubectl does not take for this one.
		expect(await world.condition("web")).to.include({
			status: "True",
			about: 1,
			generation: 2,
		});
		for (const condition of ["Programmed", "Ready"]) {
			const outcome = await world.wait("web", condition, 1).then(
				() => "returned",
				() => "waits",
			);
			expect(outcome, condition).to.equal("waits");
		}
		expect(proxy.has("first")).to.equal(true);
	});

	it("a stranger who writes a status finds it put right, without a quarrel", async () => {
		const replica = await world.replica("lateen-0");
		const proxy = await world.proxy(replica, "web-1");
		await world.answer("first");
		await world.wait("web", "Programmed");
		const conditions = async (): Promise<unknown> =>
			JSON.parse(
				await world.kubectl(
					...["get", "rr", "web", "-o", "jsonpath={.status.conditions}"],
				),
			);
		const good = await conditions();
		await api.ask(
			"PATCH",
			`${rules()}/web/status`,
			{ status: { conditions: [], proxies: { total: 9 } } },
			{ "content-type": "application/merge-patch+json" },
		);
		await eventually(async () =>
			expect(await conditions()).to.deep.equal(good),
		);
		const version = await resourceVersion("web");
		const writes = await replica.figure("lateen_kube_status_writes_total");
		await setTimeout(longMs);
		expect(await resourceVersion("web")).to.equal(version);
		expect(await replica.figure("lateen_kube_status_writes_total")).to.equal(
			writes,
		);
		expect(proxy.has("first")).to.equal(true);
	});

	it("a stranger who never stops writing a status gets a bounded number of answers", async () => {
		const replica = await world.replica("lateen-0");
		await world.proxy(replica, "web-1");
		await world.answer("first");
		await world.wait("web", "Programmed");
		const before = await replica.figure("lateen_kube_status_writes_total");
		const endMs = performance.now() + longMs;
		let strange = 0;
		while (performance.now() < endMs) {
			await api.ask(
				"PATCH",
				`${rules()}/web/status`,
				{ status: { proxies: { total: (strange % 7) + 50 } } },
				{ "content-type": "application/merge-patch+json" },
			);
			strange += 1;
		}
		const answers =
			(await replica.figure("lateen_kube_status_writes_total")) - before;
		expect(strange).to.be.greaterThan(50);
		// At most one a second, and one that was under way.
		expect(answers).to.be.lessThan(longMs / 1000 + 2);
		await world.wait("web", "Programmed");
		await eventually(async () =>
			expect(
				await world.kubectl(
					...["get", "rr", "web", "-o", "jsonpath={.status.proxies.total}"],
				),
			).to.equal("1"),
		);
	});

	it("a status that a policy refuses stops no other, is told, and is written once it may be", async () => {
		const replica = await world.replica("lateen-0");
		const proxy = await world.proxy(replica, "web-1");
		await world.apply(`apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-status}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [lateen.dev], apiVersions: [v1alpha1], operations: [UPDATE], resources: [routerules/status]}
  validations: [{expression: 'object.metadata.name != "unlucky"', message: Not this one.}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-status}
spec: {policyName: no-status, validationActions: [Deny]}
`);
		try {
			// The API server takes a moment to read a policy.
			await world.answer("probe", "unlucky");
			await eventually(async () => {
				const { status } = await api.ask(
					"PATCH",
					`${rules()}/unlucky/status`,
					{ status: { observedGeneration: 1 } },
					{ "content-type": "application/merge-patch+json" },
				);
				expect(status).to.equal(422);
			}, 30_000);
			await world.kubectl("delete", "rr", "unlucky");
			await world.answer("unlucky-answer", "unlucky");
			await world.answer("lucky-answer", "lucky");
			await world.wait("lucky", "Ready");
			await proxy.until((one) => one.has("unlucky-answer"));
			expect(await world.condition("unlucky")).to.equal(undefined);
			await eventually(() =>
				expect(JSON.stringify(replica.log)).to.include("Not this one."),
			);
			expect(
				await replica.figure("lateen_kube_status_refusals_total"),
			).to.be.greaterThan(0);
		} finally {
			await world.kubectl(
				...["delete", "validatingadmissionpolicybinding", "no-status"],
			);
			await world.kubectl(
				...["delete", "validatingadmissionpolicy", "no-status"],
			);
		}
		// It is tried again once a minute.
		await world.wait("unlucky", "Ready", 90);
	});

	it("a namespace that goes with everything in it takes its proxies along, and nothing of others", async () => {
		const other = await ClusterWorld.create(cluster);
		try {
			const replica = await world.replica("lateen-0");
			const proxy = await world.proxy(replica, "web-1");
			await world.answer("here");
			await world.wait("web", "Ready");
			// With a form that is held back there is something to keep beside it.
			const bad = { match: [{ path: { regex: "(?=a)" } }] };
			expect((await say("test", bad)).status).to.equal(200);
			await world.wait("web", "Accepted=false");
			await eventually(async () =>
				expect(
					await world.kubectl("get", "lastgoods", "-o", "name"),
				).not.to.equal(""),
			);
			await other.answer("there");
			await eventually(async () =>
				expect(await other.condition("web")).to.include({ status: "True" }),
			);
			await world.kubectl(
				"delete",
				"namespace",
				world.namespace,
				"--wait=false",
			);
			// What the namespace controller would do, in an order of its own.
			for (const kinds of ["rr", "svc", "pods", "endpointslices", "sa"])
				await world.kubectl(
					...["delete", kinds, "--all", "--force", "--grace-period=0"],
				);
			await eventually(async () => {
				const left = await world.kubectl("get", "lastgoods", "-o", "name");
				expect(left).to.equal("");
			}, 30_000);
			await eventually(async () => {
				const { proxies } = (await replica.ask("/v1/proxies")) as {
					proxies: readonly unknown[];
				};
				expect(proxies).to.have.length(0);
			});
			const namespace = JSON.parse(
				await world.kubectl("get", "namespace", world.namespace, "-o", "json"),
			) as { spec: object };
			await api.ask("PUT", `/api/v1/namespaces/${world.namespace}/finalize`, {
				...namespace,
				spec: { finalizers: [] },
			});
			const complaints = replica.log.length;
			await other.answer("again");
			await other.wait("web", "Ready");
			await setTimeout(longMs);
			expect([...replica.complaints(complaints)]).to.deep.equal([]);
			expect(proxy.has("again")).to.equal(false);
		} finally {
			await other[Symbol.asyncDispose]();
		}
	});
});
