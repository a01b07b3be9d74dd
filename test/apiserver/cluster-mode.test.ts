import { setTimeout } from "node:timers/promises";
import { expect } from "chai";
import { runLateen } from "../cli/run-lateen.ts";
import {
	isRejected,
	keeps,
	leads,
	refusing,
} from "../testkit/cluster-waits.ts";
import { ClusterWorld } from "../testkit/cluster-world.ts";
import { eventually } from "../testkit/eventually.ts";
import {
	ApiClient,
	type OwnCluster,
	ownCluster,
} from "../testkit/kube-cluster.ts";

describe("lateen serve --source=kubernetes", () => {
	let cluster: OwnCluster;
	let world: ClusterWorld;

	before(async () => {
		cluster = await ownCluster();
	});

	after(() => cluster[Symbol.asyncDispose]());

	beforeEach(async () => {
		world = await ClusterWorld.create(cluster);
	});

	afterEach(() => world[Symbol.asyncDispose]());

	it("tells by kubectl wait that a rule is live when the proxies of its pods have it", async () => {
		const replica = await world.replica("lateen-0");
		const proxies = [
			await world.proxy(replica, "web-1"),
			await world.proxy(replica, "web-2"),
		];
		await world.answer("first");
		await world.wait("web", "Programmed");
		for (const proxy of proxies) expect(proxy.has("first")).to.equal(true);
		for (const text of ["second", "third", "fourth"]) {
			await world.answer(text);
			await world.wait("web", "Programmed");
			for (const proxy of proxies) expect(proxy.has(text)).to.equal(true);
		}
		expect(await world.condition("web")).to.deep.include({
			about: 4,
			status: "True",
			reason: "Programmed",
		});
	});

	it("shows the same by its own commands", async () => {
		const replica = await world.replica("lateen-0");
		await world.proxy(replica, "web-1");
		await world.answer("first");
		await world.wait("web", "Ready");
		const asked = (...words: readonly string[]) =>
			runLateen([...words, "--state-dir", replica.stateDir]);
		const proxies = await asked("proxies");
		expect(proxies.out).to.include(`${world.namespace}/web-1`);
		const got = await asked("get", "rr", "-n", world.namespace, "-o", "json");
		expect(got.err).to.equal("");
		expect(got.out).to.include('"reason": "Programmed"');
	});

	it("waits for a proxy of a replica that does not lead, and names it", async () => {
		const leader = await world.replica("lateen-0");
		const other = await world.replica("lateen-1");
		await world.proxy(leader, "web-1");
		const slow = await world.proxy(other, "web-2");
		await world.answer("first");
		await world.wait("web", "Programmed");
		slow.manner = "silent";
		await world.answer("second");
		await eventually(async () => {
			const now = await world.condition("web");
			expect(now).to.deep.include({
				about: 2,
				status: "False",
				reason: "Distributing",
			});
			expect(now?.message).to.include("1 of 2 proxies");
			expect(now?.message).to.include(`${world.namespace}/web-2`);
		});
		slow.speak();
		await world.wait("web", "Programmed");
		expect(slow.has("second")).to.equal(true);
	});

	it("waits for a replica that hangs, and names it", async () => {
		const leader = await world.replica("lateen-0");
		const other = await world.replica("lateen-1");
		await world.proxy(leader, "web-1");
		const behind = await world.proxy(other, "web-2");
		await world.answer("first");
		await world.wait("web", "Programmed");
		other.signal("SIGSTOP");
		try {
			await world.answer("second");
			await eventually(async () => {
				const now = await world.condition("web");
				expect(now).to.deep.include({ about: 2, status: "False" });
				expect(now?.message).to.include("lateen-1, which has generation 1");
			});
		} finally {
			other.signal("SIGCONT");
		}
		await world.wait("web", "Programmed");
		expect(behind.has("second")).to.equal(true);
	});

	it("never calls a rule live before every proxy of every replica has it, however fast it changes", async () => {
		const replicas = [
			await world.replica("lateen-0"),
			await world.replica("lateen-1"),
		] as const;
		const proxies = [
			await world.proxy(replicas[0], "web-1"),
			await world.proxy(replicas[1], "web-2"),
			await world.proxy(replicas[1], "web-3"),
		];
		const text = (generation: number) => `answer ${generation}.`;
		await world.answer(text(1));
		await world.wait("web", "Programmed");
		/** Generations that some proxy lacked when they were called live. */
		const lies: number[] = [];
		const live: number[] = [];
		const last = 40;
		const stop = await world.watchRule("web", (seen) => {
			if (seen.status !== "True") return;
			live.push(seen.about);
			const later = Array.from(
				{ length: last + 1 - seen.about },
				(_, at) => seen.about + at,
			);
			const isTrue = proxies.every((proxy) =>
				later.some((generation) => proxy.has(text(generation))),
			);
			if (!isTrue) lies.push(seen.about);
		});
		using client = await ApiClient.of(cluster);
		for (let generation = 2; generation <= last; generation++) {
			const slow = proxies[generation % 4];
			if (slow !== undefined) slow.manner = "silent";
			await client.ask(
				"PATCH",
				`/apis/lateen.dev/v1alpha1/namespaces/${world.namespace}/routerules/web`,
				{ spec: { respond: { status: 200, body: text(generation) } } },
				{ "content-type": "application/merge-patch+json" },
			);
			await setTimeout(generation % 3 === 0 ? 150 : 5);
			slow?.speak();
			if (generation % 5 === 0) await world.wait("web", "Programmed");
		}
		await world.wait("web", "Programmed");
		await stop();
		expect(lies).to.deep.equal([]);
		expect(live).to.include(last);
	}).timeout(90_000);

	it("says nothing else of a rule that nobody touched while replicas come and go in order", async () => {
		const first = await world.replica("lateen-0");
		await world.proxy(first, "web-1");
		await world.answer("first");
		await world.wait("web", "Ready");
		const seen = world.follow("web");
		await eventually(() => expect(seen).to.have.length(1));
		const second = await world.replica("lateen-1");
		await world.proxy(second, "web-2");
		await eventually(async () =>
			expect((await world.condition("web"))?.message).to.include("2 of 2"),
		);
		await first.stop();
		await eventually(
			() =>
				expect(
					second.log.some(({ message }) => message === "This replica leads."),
				).to.equal(true),
			20_000,
		);
		await eventually(async () =>
			expect((await world.condition("web"))?.message).to.include("1 of 1"),
		);
		expect(new Set(seen.map(({ status }) => status))).to.deep.equal(
			new Set(["True"]),
		);
	}).timeout(90_000);

	it("has a successor when the leader is killed, and no status changes to and fro for that", async () => {
		const leader = await world.replica("lateen-0");
		const other = await world.replica("lateen-1");
		const proxy = await world.proxy(leader, "web-1");
		await world.proxy(other, "web-2");
		await world.answer("first");
		await world.wait("web", "Ready");
		const seen = world.follow("web");
		await eventually(() => expect(seen).to.have.length(1));
		await leader.kill();
		proxy.cut();
		// Its proxy finds the other one, as it would behind the Service.
		await world.proxy(other, "web-1");
		await leads(other);
		expect(new Set(seen.map(({ status }) => status))).to.deep.equal(
			new Set(["True"]),
		);
		await world.answer("second");
		await world.wait("web", "Programmed", 30);
		expect((await world.condition("web"))?.message).to.include("2 of 2");
	}).timeout(90_000);

	it("holds back everywhere what proxies of one replica refuse, also where no proxy was to say so", async () => {
		const leader = await world.replica("lateen-0");
		const other = await world.replica("lateen-1");
		const proxy = await world.proxy(other, "web-1");
		proxy.manner = refusing("refused by Envoy");
		await world.answer("good");
		await world.wait("web", "Programmed");
		await world.answer("refused by Envoy");
		await eventually(async () => {
			const now = await world.condition("web");
			expect(now).to.deep.include({
				about: 2,
				status: "False",
				reason: "Rejected",
			});
			expect(now?.message).to.include("no such thing");
			expect(now?.message).to.include("Generation 1 of the object stays");
		});
		await keeps(world, "web", "refusals");
		// A proxy that comes to the replica which nobody told but the other gets the good form.
		const late = await world.proxy(leader, "web-2");
		await late.until((one) => one.has("good"));
		expect(late.has("refused by Envoy")).to.equal(false);
		await world.answer("mended");
		await world.wait("web", "Programmed");
		for (const one of [proxy, late]) expect(one.has("mended")).to.equal(true);
	});

	it("changes nothing for proxies when all replicas start again with a rule that proxies refuse", async () => {
		const replica = await world.replica("lateen-0");
		const proxy = await world.proxy(replica, "web-1");
		proxy.manner = refusing("refused by Envoy");
		await world.answer("good");
		await world.answer("other", "other");
		await world.wait("web", "Programmed");
		await world.answer("refused by Envoy");
		await isRejected(world, "web", 2);
		expect(proxy.has("good")).to.equal(true);
		await keeps(world, "web", "refusals");
		proxy.cut();
		await replica.kill();
		const before = proxy.resources;
		await replica.run();
		await replica.admit(proxy.workload);
		proxy.connect();
		await proxy.until((one) => one.isKnown);
		expect(proxy.resources).to.equal(before);
		expect(proxy.has("good")).to.equal(true);
		await isRejected(world, "web", 2);
		await world.answer("mended");
		await world.wait("web", "Programmed", 30);
		expect(proxy.has("mended")).to.equal(true);
	}).timeout(90_000);

	it("serves proxies on while the API server is gone, and goes on when it is back", async () => {
		const replica = await world.replica("lateen-0");
		const proxy = await world.proxy(replica, "web-1");
		await world.answer("first");
		await world.wait("web", "Programmed");
		await cluster.killApiserver();
		try {
			await eventually(
				async () =>
					expect(JSON.stringify(await replica.ask("/v1/problems"))).to.include(
						"routerules.lateen.dev",
					),
				60_000,
			);
			expect(proxy.isConnected).to.equal(true);
			expect(await replica.ask("/readyz")).to.include({ ready: true });
			// A proxy that connects anew is served, because its token was seen before.
			proxy.cut();
			proxy.connect();
			await proxy.until((one) => one.isKnown);
			expect(proxy.has("first")).to.equal(true);
		} finally {
			await cluster.startApiserver();
		}
		await world.answer("second");
		await world.wait("web", "Programmed", 60);
		expect(proxy.has("second")).to.equal(true);
	}).timeout(120_000);
});
