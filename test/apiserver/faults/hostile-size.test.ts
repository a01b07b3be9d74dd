// Lists of hostile size: whoever may make Pods can make each as large as etcd takes it.

import { expect } from "chai";
import { ClusterWorld } from "../../testkit/cluster-world.ts";
import { figure } from "../../testkit/figure.ts";
import {
	ApiClient,
	type OwnCluster,
	ownCluster,
} from "../../testkit/kube-cluster.ts";

const pods = 250;
/** Near what etcd takes: 1.5 MiB in one request. */
const podLength = 1_300_000;
const writers = 4;

describe("Pods of hostile size, 325 MB in all,", function () {
	this.timeout(180_000);
	const cases = [
		{ name: "as a streamed list", flags: [] },
		{ name: "in pages", flags: ["--feature-gates=WatchList=false"] },
	] as const;
	for (const { name, flags } of cases) {
		describe(name, () => {
			let cluster: OwnCluster;
			let world: ClusterWorld;

			before(async () => {
				cluster = await ownCluster({ apiserverFlags: flags });
				world = await ClusterWorld.create(cluster);
			});

			after(async () => {
				await world?.[Symbol.asyncDispose]();
				await cluster?.[Symbol.asyncDispose]();
			});

			it("cost little memory, and stop nothing", async () => {
				const small = await world.replica("lateen-0");
				const before = await small.peakMemory();
				await small.stop();

				using api = await ApiClient.of(cluster);
				let next = 0;
				const write = async (): Promise<void> => {
					while (next < pods) {
						const { status } = await api.ask(
							"POST",
							`/api/v1/namespaces/${world.namespace}/pods`,
							hugePod(`huge-${next++}`),
						);
						expect(status).to.equal(201);
					}
				};
				await Promise.all(Array.from({ length: writers }, write));

				const replica = await world.replica("lateen-1");
				const proxy = await world.proxy(replica, "web-1");
				await world.answer("first");
				await world.wait("web", "Programmed", 60);
				expect(proxy.has("first")).to.equal(true);
				const peak = await replica.peakMemory();
				figure("peak memory without them, MiB", Math.round(before / 2 ** 20));
				figure("peak memory with them, MiB", Math.round(peak / 2 ** 20));
				// All of them at once, as text and parsed, would be twice this.
				expect(peak - before).to.be.lessThan(pods * podLength);
			});
		});
	}
});

function hugePod(name: string): object {
	return {
		apiVersion: "v1",
		kind: "Pod",
		metadata: { name, labels: { app: "huge" } },
		spec: {
			containers: [
				{
					name: "huge",
					image: "huge",
					env: [{ name: "HUGE", value: "x".repeat(podLength) }],
				},
			],
		},
	};
}
