// Pods and controllers that come and go while requests are made.

import { expect } from "chai";
import { eventually } from "../testkit/eventually.ts";
import { loadWhile } from "../testkit/kind-load.ts";
import type { KindNamespace } from "../testkit/kind-namespace.ts";
import { KindWorld } from "../testkit/kind-world.ts";
import type { Load } from "../testkit/pod-app.ts";

/** Readiness, endpoints and the proxies' configuration follow each other. */
const PATIENCE_MS = 60_000;
/** Requests a second; one processor of the two has to carry all of it. */
const RATE = 50;

describe("no request is lost", () => {
	let world: KindWorld;
	let meshed: KindNamespace;

	before(async () => {
		world = await KindWorld.start();
		({ meshed } = world);
	});
	after(async () => {
		await world?.[Symbol.asyncDispose]();
	});

	/** Asks all the while, from a pod with a proxy, and expects all answers. */
	const under = async (act: () => Promise<unknown>): Promise<Load> => {
		const load = await loadWhile(
			{ namespace: meshed, pod: "client", url: "http://web/", rate: RATE },
			act,
		);
		expect(load.failures).to.deep.equal({});
		expect(load.ok).to.equal(load.sent);
		expect(load.sent).to.be.greaterThan(2 * RATE);
		return load;
	};

	it("while an application rolls", async () => {
		const load = await under(async () => {
			await meshed.kubectl("rollout", "restart", "deployment/web-v1");
			await meshed.ready("deployment/web-v1");
			await eventually(
				async () =>
					expect(await meshed.podsOf("app=web,version=v1")).to.have.lengthOf(2),
				PATIENCE_MS,
			);
		});
		expect(Object.keys(load.pods)).to.have.lengthOf.above(3);
	});

	it("when an injected pod is deleted", async () => {
		const [name = ""] = await meshed.podsOf("version=v1");
		await under(async () => {
			await meshed.kubectl("delete", "pod", name, "--timeout=120s");
		});
	});

	it("while the controller rolls", async () => {
		await under(async () => {
			await world.inSystem("rollout", "restart", "deployment/lateen");
			await world.inSystem(
				...["rollout", "status", "deployment/lateen", "--timeout=120s"],
			);
		});
	});

	it("when the leader is killed, and the next one follows changes", async () => {
		const old = await world.leader();
		await under(async () => {
			await world.inSystem(
				...["delete", "pod", old, "--grace-period=0", "--force"],
			);
			await eventually(
				async () => expect(await world.leader()).not.to.equal(old),
				PATIENCE_MS,
			);
			await meshed.kubectl("scale", "deployment/web-v2", "--replicas=2");
			await meshed.ready("deployment/web-v2");
		});
	});
});
