import { expect } from "chai";
import type { ReportedObject } from "../../src/api/proxy-report.ts";
import { watchReplicas } from "../../src/app/cluster/replicas/watch-replicas.ts";
import { Replicas } from "../../src/controllers/replicas.ts";
import type { KubeConnection } from "../../src/kube/connection.ts";
import { loadKubeConfig } from "../../src/kube/kube-config.ts";
import { ObjectClient } from "../../src/kube/object-client.ts";
import { openConnection } from "../../src/kube/open-connection.ts";
import {
	deleteLeftovers,
	ReplicaPresence,
} from "../../src/kube/replica-reports.ts";
import { addWatchMetrics } from "../../src/kube/watch-metrics.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { MetricsRegistry } from "../../src/observability/metrics.ts";
import { reportShards } from "../../src/reconcilers/proxy-report.ts";
import { eventually } from "../testkit/eventually.ts";
import { FastClock } from "../testkit/fast-clock.ts";
import {
	type KubeCluster,
	kubectl,
	newNamespace,
	sharedCluster,
} from "../testkit/kube-cluster.ts";

const key = "RouteRule/default/reviews";

function entry(generation: number): ReportedObject {
	return {
		uid: "u1",
		generation,
		withheld: generation + 1,
		total: 2,
		acknowledged: 1,
		rejected: 1,
		missing: ["default/a"],
		rejections: [{ proxy: "default/b", message: "no" }],
		accepted: [{ content: "abc", software: "envoy 1.40.0" }],
		refused: [
			{ content: "d", software: "e", proxy: "default/b", message: "no" },
		],
	};
}

describe("replicas on an API server", () => {
	let cluster: KubeCluster;
	let connection: KubeConnection;
	let namespace: string;
	let seen: Replicas;
	let stopping: AbortController;
	let running: Promise<unknown>[];

	before(async () => {
		cluster = await sharedCluster();
		const access = await loadKubeConfig({
			kubeconfig: cluster.kubeconfig,
			environment: {},
			clock: systemClock,
		});
		connection = openConnection(access, {
			clock: systemClock,
			userAgent: "lateen-test",
		});
	});

	after(() => connection[Symbol.asyncDispose]());

	beforeEach(async () => {
		namespace = await newNamespace(cluster);
		stopping = new AbortController();
		const metrics = new MetricsRegistry();
		seen = new Replicas({
			self: "reader",
			clock: systemClock,
			logger: silentLogger,
			metrics,
		});
		const watched = watchReplicas({
			connection,
			namespace,
			replicas: seen,
			clock: systemClock,
			logger: silentLogger,
			metrics: addWatchMetrics(metrics),
		});
		running = [watched.run(stopping.signal)];
		await eventually(() => expect(watched.allListed.value).to.equal(true));
	});

	afterEach(async () => {
		stopping.abort();
		await Promise.all(running);
		seen[Symbol.dispose]();
	});

	/** A replica that reports these objects. */
	function replica(
		name: string,
		objects: ReadonlyMap<string, ReportedObject>,
		clock: Clock = systemClock,
	): { readonly presence: ReplicaPresence; stop(): Promise<void> } {
		const presence: ReplicaPresence = new ReplicaPresence({
			client: new ObjectClient(connection),
			namespace,
			replica: name,
			publish: async () => {
				for (let shard = 0; shard < reportShards; shard++)
					await presence.write(shard, shard === 3 ? objects : new Map());
			},
			clock,
			logger: silentLogger,
		});
		const own = new AbortController();
		const ended = presence.run(AbortSignal.any([own.signal, stopping.signal]));
		running.push(ended);
		return {
			presence,
			stop: async () => {
				own.abort();
				await ended;
			},
		};
	}

	it("are seen with everything that they report, and never without it", async () => {
		const heard: unknown[] = [];
		seen.subscribeTotals(() => heard.push(seen.on(key)));
		replica("lateen-0", new Map([[key, entry(3)]]));
		await eventually(() => expect(heard).to.have.length(1));
		expect(heard).to.deep.equal([[{ name: "lateen-0", entry: entry(3) }]]);
	});

	it("tell what has changed", async () => {
		const { presence } = replica("lateen-0", new Map([[key, entry(3)]]));
		await eventually(() => expect(seen.living).to.deep.equal(["lateen-0"]));
		await presence.write(3, new Map([[key, entry(4)]]));
		await eventually(() =>
			expect(seen.on(key)[0]?.entry).to.deep.equal(entry(4)),
		);
		await presence.write(3, new Map());
		await eventually(() => expect(seen.on(key)[0]?.entry).to.equal(undefined));
	});

	it("are gone at once when they stop in order, and what they leave can be removed", async () => {
		const { stop } = replica("lateen-0", new Map([[key, entry(3)]]));
		await eventually(() => expect(seen.living).to.deep.equal(["lateen-0"]));
		await stop();
		await eventually(() => expect(seen.living).to.deep.equal([]));
		const leftovers = seen.leftovers();
		expect(leftovers.reports).to.have.length(reportShards);
		await deleteLeftovers(
			new ObjectClient(connection),
			namespace,
			leftovers,
			() => true,
		);
		expect(
			await kubectl(cluster, [
				...["-n", namespace, "get", "proxyreports,leases", "-o", "name"],
			]),
		).to.equal("");
	});

	it("are not seen with the reports of the process that had their name before", async () => {
		const first = replica("lateen-0", new Map([[key, entry(3)]]));
		await eventually(() => expect(seen.living).to.deep.equal(["lateen-0"]));
		const heard: unknown[] = [];
		seen.subscribeTotals(() => heard.push(seen.on(key)));
		replica("lateen-0", new Map());
		await eventually(() => expect(heard).to.have.length(2));
		expect(heard).to.deep.equal([[], [{ name: "lateen-0", entry: undefined }]]);
		// The first still runs, as a process that was frozen does; it must not be waited for.
		expect(first.presence.isPresent.value).to.equal(true);
	});

	it("are there again with everything when somebody has removed what they left", async () => {
		const { presence } = replica(
			"lateen-0",
			new Map([[key, entry(3)]]),
			new FastClock(20),
		);
		await eventually(() => expect(seen.living).to.deep.equal(["lateen-0"]));
		const heard: unknown[] = [];
		seen.subscribeTotals(() => heard.push(seen.on(key)));
		await kubectl(cluster, [
			...["-n", namespace, "delete", "leases,proxyreports", "--all"],
		]);
		await eventually(() =>
			expect(heard.at(-1)).to.deep.equal([
				{ name: "lateen-0", entry: entry(3) },
			]),
		);
		expect(presence.isPresent.value).to.equal(true);
	});

	it("report in objects that say whose they are, and belong to a Lease that does", async () => {
		replica("lateen-0", new Map([[key, entry(3)]]));
		await eventually(() => expect(seen.living).to.deep.equal(["lateen-0"]));
		const said = JSON.parse(
			await kubectl(cluster, [
				...["-n", namespace, "get", "proxyreport", "lateen-0-3", "-o", "json"],
			]),
		) as {
			readonly metadata: { readonly ownerReferences: readonly object[] };
			readonly spec: object;
		};
		expect(said.metadata.ownerReferences[0]).to.include({
			kind: "Lease",
			name: "lateen-replica-lateen-0",
		});
		expect(said.spec).to.deep.equal({
			replica: "lateen-0",
			objects: { [key]: entry(3) },
		});
	});
});
