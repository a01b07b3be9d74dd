// What proxies and people see of a rule that proxies refuse while replicas restart and the lead changes.

import { expect } from "chai";
import type { ClusterReplica } from "../testkit/cluster-replica.ts";
import {
	isRejected,
	keeps,
	leads,
	refusing,
} from "../testkit/cluster-waits.ts";
import { ClusterWorld, type SeenCondition } from "../testkit/cluster-world.ts";
import { eventually } from "../testkit/eventually.ts";
import { type OwnCluster, ownCluster } from "../testkit/kube-cluster.ts";
import type { WireProxy } from "../testkit/wire-proxy.ts";

const bad = "refused by Envoy";

describe("replicas with a rule that proxies refuse", function () {
	this.timeout(120_000);
	let cluster: OwnCluster;
	let world: ClusterWorld;
	let replicas: readonly ClusterReplica[];
	let proxies: readonly WireProxy[];
	/** Every state of `Programmed` since the rule was refused. */
	let web: readonly SeenCondition[];
	let other: readonly SeenCondition[];

	before(async () => {
		cluster = await ownCluster();
	});

	after(() => cluster?.[Symbol.asyncDispose]());

	/** Two replicas with a proxy each; the rule `web` is held back, `other` is live. */
	beforeEach(async () => {
		world = await ClusterWorld.create(cluster);
		const first = await world.replica("lateen-0");
		await leads(first);
		const second = await world.replica("lateen-1");
		replicas = [first, second];
		proxies = [
			await world.proxy(first, "web-1"),
			await world.proxy(second, "web-2"),
		];
		for (const proxy of proxies) proxy.manner = refusing(bad);
		await world.answer("good");
		await world.answer("other", "other");
		for (const rule of ["web", "other"]) await world.wait(rule, "Programmed");
		await world.answer(bad);
		await isRejected(world, "web", 2);
		// One proxy alone would be sent the rule once more after a restart, to hear whether it refuses it, too.
		await keeps(world, "web", "isConfirmed");
		await world.wait("other", "Programmed");
		web = world.follow("web");
		other = world.follow("other");
		for (const seen of [web, other])
			await eventually(() => expect(seen).to.have.length.above(0));
	});

	afterEach(() => world[Symbol.asyncDispose]());

	/** What was said of the rules since: the same all the time. */
	function expectNoFlaps(): void {
		const said = (seen: readonly SeenCondition[]) =>
			new Set(
				seen.map(({ about, status, reason }) => [about, status, reason].join()),
			);
		expect(said(web)).to.deep.equal(new Set(["2,False,Rejected"]));
		expect(said(other)).to.deep.equal(new Set(["1,True,Programmed"]));
	}

	async function mend(seenBy: readonly WireProxy[]): Promise<void> {
		await world.answer("mended");
		await world.wait("web", "Programmed", 30);
		for (const proxy of seenBy) expect(proxy.has("mended")).to.equal(true);
	}

	it("change nothing when all of them are killed and start again at once", async () => {
		const before = proxies.map(({ resources }) => resources);
		for (const proxy of proxies) proxy.cut();
		await Promise.all(replicas.map((replica) => replica.kill()));
		const begin = replicas.map(({ log }) => log.length);
		await Promise.all(replicas.map((replica) => replica.run()));
		for (const [at, proxy] of proxies.entries()) {
			await replicas[at]?.admit(proxy.workload);
			proxy.connect();
		}
		for (const proxy of proxies) await proxy.until((one) => one.isKnown);
		await eventually(
			() =>
				expect(
					replicas.some(({ log }, at) =>
						log
							.slice(begin[at])
							.some(({ message }) => message === "This replica leads."),
					),
				).to.equal(true),
			40_000,
		);
		// Once the leader has written everything, this is counted.
		await eventually(
			async () =>
				expect((await world.condition("other"))?.message).to.include("2 of 2"),
			20_000,
		);
		await isRejected(world, "web", 2);
		expectNoFlaps();
		expect(proxies.map(({ resources }) => resources)).to.deep.equal(before);
		await mend(proxies);
	});

	it("go on holding it back when the leader dies, for proxies that come later, too", async () => {
		const [first, second] = replicas;
		const [lost, kept] = proxies;
		if (!first || !second || !lost || !kept) throw new Error("Not two.");
		const before = kept.resources;
		await first.kill();
		lost.cut();
		const moved = await world.proxy(second, "web-1");
		moved.manner = refusing(bad);
		await leads(second);
		await eventually(
			async () =>
				expect((await world.condition("other"))?.message).to.include("2 of 2"),
			30_000,
		);
		await isRejected(world, "web", 2);
		expectNoFlaps();
		expect(kept.resources).to.equal(before);
		// Neither a proxy that comes to the new leader nor one that comes to a replica which starts now is sent the refused form.
		await first.run();
		const late = [
			await world.proxy(second, "web-3"),
			await world.proxy(first, "web-1"),
		];
		for (const proxy of late) {
			await proxy.until((one) => one.has("good"));
			expect(proxy.has(bad)).to.equal(false);
		}
		expect(kept.resources).to.equal(before);
		await mend([kept, ...late]);
	});
});
