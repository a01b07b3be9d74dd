// The wall clock of the leader jumps. Nothing that lasts is measured by it.

import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { ClusterWorld } from "../../testkit/cluster-world.ts";
import { eventually } from "../../testkit/eventually.ts";
import {
	kubectl,
	type OwnCluster,
	ownCluster,
} from "../../testkit/kube-cluster.ts";

/** More than the time for which the lead is held without being renewed. Milliseconds. */
const longerThanLeaseMs = 16_000;

describe("a leader whose clock jumps an hour on, two back, and is set right", function () {
	this.timeout(180_000);
	let cluster: OwnCluster;
	let world: ClusterWorld;

	before(async () => {
		cluster = await ownCluster();
		world = await ClusterWorld.create(cluster);
	});

	after(async () => {
		await world?.[Symbol.asyncDispose]();
		await cluster?.[Symbol.asyncDispose]();
	});

	const own = (...words: readonly string[]) =>
		kubectl(cluster, ["-n", world.own, ...words]);
	/** Who leads, and how often that has changed. */
	const held = () =>
		own(
			...["get", "lease", "lateen-leader", "-o"],
			"jsonpath={.spec.holderIdentity} {.spec.leaseTransitions}",
		);
	const renewed = () =>
		own("get", "lease", "lateen-leader", "-o", "jsonpath={.spec.renewTime}");
	const certificate = () =>
		own("get", "secret", "lateen-serving", "-o", "jsonpath={.data}");

	it("leads on, writes statuses, keeps its certificate and its proxies", async () => {
		const leader = await world.replica("lateen-0", {
			nodeFlags: ["--import", join(import.meta.dirname, "jump-clock.mjs")],
		});
		await eventually(async () => expect(await held()).to.match(/^lateen-0/));
		const other = await world.replica("lateen-1");
		const proxies = [
			await world.proxy(leader, "web-1"),
			await world.proxy(other, "web-2"),
		];
		await world.answer("first");
		await world.wait("web", "Programmed");
		const before = { held: await held(), certificate: await certificate() };
		const lines = [leader, other].map(({ log }) => log.length);
		const responses = proxies.map((proxy) => proxy.responses);

		for (const [turn, hours] of [1, -1, 0].entries()) {
			leader.signal("SIGUSR2");
			// The Lease is renewed with the wrong time, for as long as it would have been lost.
			await eventually(async () => {
				const awayMs = Date.parse(await renewed()) - Date.now();
				expect(Math.round(awayMs / 3_600_000)).to.equal(hours);
			});
			if (hours !== 0) await setTimeout(longerThanLeaseMs);
			expect(await held()).to.equal(before.held);
			await world.answer(`turn-${turn}.`);
			await world.wait("web", "Programmed");
			for (const proxy of proxies)
				expect(proxy.has(`turn-${turn}.`)).to.equal(true);
		}
		expect(await certificate()).to.equal(before.certificate);
		for (const [at, proxy] of proxies.entries()) {
			expect(proxy.isConnected).to.equal(true);
			// One for each change, and none for the jumps.
			expect(proxy.responses - (responses[at] ?? 0)).to.equal(3);
		}
		for (const [at, replica] of [leader, other].entries())
			expect([...replica.complaints(lines[at] ?? 0)]).to.deep.equal([]);
	});
});
