import { expect } from "chai";
import type { NotedEvent } from "../../src/api/object-event.ts";
import { KubeEventWriter } from "../../src/kube/event-writer.ts";
import type { ObjectClient } from "../../src/kube/object-client.ts";
import { resources } from "../../src/kube/resources.ts";
import { WritePacer } from "../../src/kube/write-pacer.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import { MetricsRegistry } from "../../src/observability/metrics.ts";
import { apiServerPlace } from "../testkit/api-server-place.ts";
import { eventually } from "../testkit/eventually.ts";
import { FixedLeader } from "../testkit/fixed-leader.ts";
import type { ObservedConnection } from "../testkit/kube-client.ts";
import { type KubeCluster, kubectl } from "../testkit/kube-cluster.ts";

describe("events on an API server", () => {
	const place = apiServerPlace();
	let cluster: KubeCluster;
	let connection: ObservedConnection;
	let client: ObjectClient;
	let namespace: string;
	const writers: KubeEventWriter[] = [];

	beforeEach(async () => {
		({ cluster, connection, client, namespace } = place);
		await client.apply({
			resource: resources.RouteRule,
			at: { namespace, name: "reviews" },
			manager: "person",
			fields: { spec: { destination: { name: "echo" } } },
		});
	});

	afterEach(() => {
		for (const one of writers.splice(0)) one[Symbol.dispose]();
	});

	function writer(): KubeEventWriter {
		const made = new KubeEventWriter({
			client,
			leader: new FixedLeader(),
			pacer: new WritePacer(systemClock),
			instance: "lateen-0_1234",
			uidOf: () => undefined,
			clock: systemClock,
			logger: silentLogger,
			metrics: new MetricsRegistry(),
		});
		writers.push(made);
		return made;
	}

	function event(fields: Partial<NotedEvent> = {}): NotedEvent {
		return {
			about: { kind: "RouteRule", namespace, name: "reviews" },
			type: "Warning",
			reason: "Rejected",
			message: "The proxy shop/a says no.",
			...fields,
		};
	}

	it("are shown by kubectl describe and kubectl get", async () => {
		writer().note(event(), Date.now());
		const about = ["-n", namespace, "routerule/reviews"];
		await eventually(async () => {
			const described = await kubectl(cluster, ["describe", ...about]);
			expect(described).to.match(
				/Warning +Rejected .*The proxy shop\/a says no/,
			);
		});
		const listed = await kubectl(cluster, ["get", "events", "-n", namespace]);
		expect(listed).to.match(/Warning +Rejected +routerule\/reviews/);
	});

	it("are counted when they happen again, also by the next leader", async () => {
		const first = writer();
		first.note(event(), Date.now());
		first.note(event(), Date.now());
		const counted = async (): Promise<readonly unknown[]> => {
			const found = await client.list(resources.Event, { namespace });
			return found.items.map(
				({ content }) =>
					(content["series"] as { readonly count: number } | undefined)?.count,
			);
		};
		await eventually(async () => expect(await counted()).to.deep.equal([2]));
		writer().note(event(), Date.now());
		await eventually(async () => expect(await counted()).to.deep.equal([3]));
	});

	it("are taken whatever the proxies say", async () => {
		const one = writer();
		const notes = ["“é😀”\n".repeat(999), "x".repeat(1025), "\u0000", " "];
		for (const message of notes) one.note(event({ message }), Date.now());
		await eventually(async () => {
			const { items } = await client.list(resources.Event, { namespace });
			expect(items.length).to.equal(notes.length);
		});
	});

	it("about a cluster-scoped object are in the namespace default", async () => {
		await client.apply({
			resource: resources.Mesh,
			at: { namespace: "", name: "default" },
			manager: "person",
			fields: { spec: {} },
		});
		const about = { kind: "Mesh", namespace: "", name: "default" };
		writer().note(event({ about, reason: "Invalid" }), Date.now());
		await eventually(async () => {
			const shown = await kubectl(cluster, ["describe", "mesh/default"]);
			expect(shown).to.match(/Warning +Invalid /);
		});
	});

	it("of an object that is gone are not written", async () => {
		const about = { kind: "RouteRule", namespace, name: "gone" };
		const one = writer();
		one.note(event({ about }), Date.now());
		const asked = (): boolean =>
			connection.requests.some(({ path }) => path.endsWith("routerules/gone"));
		await eventually(() => expect(asked()).to.equal(true));
		one.note(event(), Date.now());
		await eventually(async () => {
			const { items } = await client.list(resources.Event, { namespace });
			expect(items.length).to.equal(1);
			expect(items[0]?.content["regarding"]).to.include({ name: "reviews" });
		});
	});
});
