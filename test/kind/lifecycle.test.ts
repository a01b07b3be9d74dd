// Pods, proxies and controllers that come and go while others ask.

import { expect } from "chai";
import {
	killContainer,
	withoutControllers,
} from "../../hack/cluster/node/cluster-with-node.ts";
import { eventually } from "../testkit/eventually.ts";
import { loadWhile } from "../testkit/kind-load.ts";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import {
	jobObject,
	podObject,
	ruleObject,
	serviceObject,
} from "../testkit/kind-objects.ts";
import { KindWorld } from "../testkit/kind-world.ts";
import { kubectl } from "../testkit/kube-cluster.ts";
import type { Load } from "../testkit/pod-app.ts";

/** Readiness, endpoints and the proxies' configuration follow each other. */
const PATIENCE_MS = 120_000;
/** Requests a second from each of the two callers; two processors have to carry all of it. */
const RATE = 50;
/** The share of requests that meet an idle connection in the very moment in which it is ended. */
const RARE = 0.01;

describe("pods that come and go", () => {
	let world: KindWorld;
	let meshed: KindNamespace;

	before(async () => {
		world = await KindWorld.start();
		({ meshed } = world);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	/** Asks all the while, from a pod with a proxy and from one without. */
	const under = async (
		act: () => Promise<unknown>,
	): Promise<readonly [meshed: Load, plain: Load]> =>
		await loadWhile(
			[
				{
					namespace: meshed,
					pod: "client",
					urls: ["http://web/"],
					rate: RATE,
				},
				{
					namespace: world.plain,
					pod: "client",
					urls: [`http://web.${meshed.name}/`],
					rate: RATE,
				},
			],
			act,
		);
	/** The same, and expects all answers. */
	const losesNothing = async (
		act: () => Promise<unknown>,
	): Promise<readonly [meshed: Load, plain: Load]> => {
		const loads = await under(act);
		expect(loads.map(({ failures }) => failures)).to.deep.equal([{}, {}]);
		for (const { sent, ok, resent } of loads) {
			expect(ok).to.equal(sent);
			expect(resent).to.be.at.most(sent * RARE);
			// One that asked nobody has lost nothing, either.
			expect(sent).to.be.above(0);
		}
		return loads;
	};
	/** Waits until the pods that go have gone, too. */
	const settles = async (selector: string, left: number): Promise<void> => {
		await eventually(
			async () => expect(await meshed.podsOf(selector)).to.have.lengthOf(left),
			PATIENCE_MS,
		);
	};

	it("lose no request while an application rolls", async () => {
		const [load] = await losesNothing(async () => {
			await meshed.kubectl("rollout", "restart", "deployment/web-v1");
			await meshed.ready("deployment/web-v1");
			await settles("app=web,version=v1", 2);
		});
		// Without a proxy a caller may stay with one pod for as long as it is there.
		expect(Object.keys(load.pods)).to.have.lengthOf.above(3);
		// A hook that fails is nothing but an Event.
		const failed = await meshed.kubectl(
			...["get", "events", "-o", "jsonpath={.items[*].message}"],
			"--field-selector=reason=FailedPreStopHook",
		);
		expect(failed).to.equal("");
	});

	it("end the connections that nobody uses before their application ends", async () => {
		await meshed.apply(
			serviceObject("held"),
			podObject("held", { "lateen.dev/stop-delay": "15s" }),
		);
		await meshed.ready("pod/held");
		const url = `http://held.${meshed.name}/`;
		await world.plain.ask("client", url);
		const [held] = await Promise.all([
			world.plain.run("client", "hold", url),
			(async () => {
				await eventually(async () => {
					const figures = await adminOf(
						meshed,
						"held",
						"/stats?filter=http.inbound_8080.downstream_cx_active",
					);
					expect(figures).to.contain("downstream_cx_active: 1");
				}, PATIENCE_MS);
				await meshed.kubectl("delete", "pod", "held", "--wait=false");
			})(),
		]);
		expect(held).to.equal("open\nclosed\n");
		const state = await meshed.kubectl(
			...["get", "pod", "held", "-o"],
			"jsonpath={.status.containerStatuses[0].state}",
		);
		expect(state).to.contain("running");
	});

	it("lose no request when one is deleted", async () => {
		const [name = ""] = await meshed.podsOf("version=v1");
		await losesNothing(async () => {
			await meshed.kubectl("delete", "pod", name, "--timeout=120s");
			await meshed.ready("deployment/web-v1");
		});
	});

	it("lose no request of callers with proxies while Kubernetes does not get to its EndpointSlices", async () => {
		const [name = ""] = await meshed.podsOf("version=v1");
		const address = await meshed.kubectl(
			...["get", "pod", name, "-o", "jsonpath={.status.podIP}"],
		);
		const isKnown = async (): Promise<boolean> =>
			(await adminOf(meshed, "client", "/clusters")).includes(`${address}:`);
		const [load] = await under(() =>
			withoutControllers(world.cluster.node, async () => {
				await eventually(async () => expect(await isKnown()).to.equal(true));
				await meshed.kubectl("delete", "pod", name, "--timeout=120s");
				const listed = await meshed.kubectl(
					...["get", "endpointslices", "-o", "jsonpath={..targetRef.name}"],
				);
				expect(listed).to.contain(name);
				await eventually(async () => expect(await isKnown()).to.equal(false));
			}),
		);
		expect(load.failures).to.deep.equal({});
		expect(load.sent).to.be.above(0);
		await meshed.ready("deployment/web-v1");
		await settles("app=web,version=v1", 2);
	});

	it("lose no request when they are evicted, as from a node that is drained", async () => {
		await meshed.apply({
			apiVersion: "policy/v1",
			kind: "PodDisruptionBudget",
			metadata: { name: "web" },
			spec: { minAvailable: 2, selector: { matchLabels: { app: "web" } } },
		});
		const pods = await meshed.podsOf("app=web");
		expect(pods).to.have.lengthOf(3);
		await losesNothing(async () => {
			await Promise.all(pods.map((pod) => evict(meshed, pod)));
			await meshed.ready("deployment/web-v1", "deployment/web-v2");
			await settles("app=web", 3);
		});
		await meshed.kubectl("delete", "poddisruptionbudget", "web");
	});

	it("lose no request while the controller rolls", async () => {
		await losesNothing(async () => {
			await world.inSystem("rollout", "restart", "deployment/lateen");
			await world.inSystem(
				...["rollout", "status", "deployment/lateen", "--timeout=180s"],
			);
		});
	});

	it("lose no request when the leader is killed, and follow changes with the next one", async () => {
		// Not one that has just gone, or is about to go.
		const old = await eventually(async () => {
			const pods = await world.inSystem(
				...["get", "pods", "-l", "app=lateen", "-o", "name"],
			);
			expect(pods.trim().split("\n")).to.have.lengthOf(2);
			const leader = await world.leader();
			expect(pods).to.contain(`pod/${leader.pod}\n`);
			return leader;
		}, PATIENCE_MS);
		await losesNothing(async () => {
			await kill(world, "lateen-system", old.pod, "lateen");
			await eventually(async () => {
				const { process } = await world.leader();
				expect(process).not.to.be.oneOf([old.process, ""]);
			}, PATIENCE_MS);
			await meshed.kubectl("scale", "deployment/web-v2", "--replicas=2");
			await meshed.ready("deployment/web-v2");
		});
		await meshed.kubectl("scale", "deployment/web-v2", "--replicas=1");
		await settles("app=web,version=v2", 1);
	});

	it("get over the end of a proxy, and others do not feel it", async () => {
		const [victim = ""] = await meshed.podsOf("app=web,version=v1");
		const [load] = await under(async () => {
			await kill(world, meshed.name, victim, "lateen-proxy");
			await eventually(
				async () => expect(await restarts(meshed, victim)).to.equal("1 0"),
				PATIENCE_MS,
			);
			await meshed.ready(`pod/${victim}`);
		});
		// What was on its way through that proxy is lost, and nothing else.
		expect(load.sent - load.ok).to.be.at.most(2);
		const [later] = await losesNothing(async () => {
			await eventually(async () => {
				const answers = await meshed.run(
					...["client", "ask", "http://web/", "", "20"],
				);
				expect(answers).to.contain(victim);
			}, PATIENCE_MS);
		});
		expect(Object.keys(later.pods)).to.include(victim);
	});

	it("ask through their proxies from the first instant", async () => {
		await meshed.apply(
			ruleObject("second", {
				destination: { name: "web" },
				route: [{ labels: { version: "v2" } }],
			}),
		);
		await meshed.kubectl(
			...["wait", "--for=condition=Programmed", "routerule/second"],
			"--timeout=60s",
		);
		const names = ["first", "second", "third"];
		await meshed.apply(
			...names.map((name) => jobObject(name, ["ask", "http://web/", "", "10"])),
		);
		for (const name of names) {
			await meshed.kubectl(
				...["wait", `job/${name}`, "--for=condition=Complete"],
				"--timeout=180s",
			);
			const said = await meshed.kubectl("logs", `job/${name}`, "-c", "app");
			// Without its proxy a pod would ask all versions.
			expect(said.match(/^200 .*"version":"v2"/gm)).to.have.lengthOf(10);
		}
		await meshed.kubectl("delete", "routerule", "second");
	});
});

/** What the admin interface of a pod's proxy answers. */
async function adminOf(
	namespace: KindNamespace,
	pod: string,
	path: string,
): Promise<string> {
	return await namespace.kubectl(
		...["exec", pod, "-c", "lateen-proxy", "--"],
		...["busybox", "wget", "-q", "-O", "-", `http://127.0.0.1:15000${path}`],
	);
}

/** Evicts a pod as `kubectl drain` does: it asks again until the budget allows it. */
async function evict(namespace: KindNamespace, pod: string): Promise<void> {
	await eventually(async () => {
		await kubectl(
			namespace.cluster,
			[
				...["create", "-f", "-", "--raw"],
				`/api/v1/namespaces/${namespace.name}/pods/${pod}/eviction`,
			],
			JSON.stringify({
				apiVersion: "policy/v1",
				kind: "Eviction",
				metadata: { name: pod, namespace: namespace.name },
			}),
		);
	}, PATIENCE_MS);
}

/** Kills the first process of a container at once, as the kernel does when memory runs out. */
async function kill(
	{ cluster }: KindWorld,
	namespace: string,
	pod: string,
	container: string,
): Promise<void> {
	const ids = await kubectl(cluster, [
		...["get", "pod", pod, "--namespace", namespace, "-o"],
		`jsonpath={.status['containerStatuses','initContainerStatuses'][?(@.name=="${container}")].containerID}`,
	]);
	await killContainer(cluster.node, ids.replace("containerd://", ""));
}

/** How often the proxy of a pod and its application were started again. */
async function restarts(
	namespace: KindNamespace,
	pod: string,
): Promise<string> {
	return await namespace.kubectl(
		...["get", "pod", pod, "-o"],
		'jsonpath={.status.initContainerStatuses[?(@.name=="lateen-proxy")].restartCount} {.status.containerStatuses[0].restartCount}',
	);
}
