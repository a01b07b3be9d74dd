import { expect } from "chai";
import { eventLoopTurns } from "../../test/testkit/event-loop-turns.ts";
import { MemoryApiServer } from "../../test/testkit/memory-api-server.ts";
import { warningLogger } from "../../test/testkit/recording-logger.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { NotedEvent } from "../api/object-event.ts";
import { WritableSignal } from "../lib/signal.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { KubeEventWriter } from "./event-writer.ts";
import { ObjectClient } from "./object-client.ts";
import { WritePacer } from "./write-pacer.ts";

const minute = 60_000;

class Fixture {
	readonly server: MemoryApiServer;
	readonly clock = new TestClock();
	readonly state = new WritableSignal(true);
	readonly logged: string[] = [];
	readonly metrics = new MetricsRegistry();
	/** Uids of objects other than those made of their names. */
	readonly uids = new Map<string, string>();
	readonly writer: KubeEventWriter;

	constructor(server = new MemoryApiServer()) {
		this.server = server;
		this.writer = new KubeEventWriter({
			client: new ObjectClient(server),
			leader: { state: this.state, isLeader: () => this.state.value },
			pacer: new WritePacer(this.clock),
			instance: "pod_1",
			uidOf: ({ name }) =>
				name === "asked"
					? undefined
					: (this.uids.get(name) ?? `uid-of-${name}`),
			clock: this.clock,
			logger: warningLogger(this.logged),
			metrics: this.metrics,
		});
	}

	note(fields: Partial<NotedEvent> = {}): void {
		this.writer.note(event(fields), this.clock.nowMs());
	}

	async pass(ms: number): Promise<void> {
		for (let left = ms; left >= 0; left -= 1000) {
			this.clock.pass(Math.min(1000, left));
			await eventLoopTurns(10);
		}
	}

	/** Every event there is. */
	async events(
		namespace = "shop",
	): Promise<readonly Readonly<Record<string, unknown>>[]> {
		const response = await this.server.request(
			{
				method: "GET",
				path: `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
				query: { limit: "9999" },
			},
			new AbortController().signal,
		);
		return JSON.parse(await response.text()).items;
	}
}

function event(fields: Partial<NotedEvent> = {}): NotedEvent {
	return {
		about: { kind: "RouteRule", namespace: "shop", name: "x" },
		type: "Warning",
		reason: "Rejected",
		message: "The proxy says no.",
		...fields,
	};
}

describe("KubeEventWriter", () => {
	it("makes an event on the object", async () => {
		const one = new Fixture();
		one.note();
		await one.pass(0);
		const [made] = await one.events();
		expect(made).to.deep.include({
			apiVersion: "events.k8s.io/v1",
			kind: "Event",
			eventTime: "2026-01-01T00:00:00.000000Z",
			reportingController: "lateen.dev/lateen",
			reportingInstance: "pod_1",
			action: "Program",
			type: "Warning",
			reason: "Rejected",
			note: "The proxy says no.",
			regarding: {
				apiVersion: "lateen.dev/v1alpha1",
				kind: "RouteRule",
				namespace: "shop",
				name: "x",
				uid: "uid-of-x",
			},
		});
	});

	it("makes an event on an object of a kind that is not read, without asking for it", async () => {
		const one = new Fixture();
		one.note({
			about: { kind: "DaemonSet", namespace: "shop", name: "agent" },
			identity: { apiVersion: "apps/v1", uid: "1234" },
			reason: "NotInjected",
		});
		await one.pass(0);
		const [made] = await one.events();
		expect(made?.["regarding"]).to.deep.equal({
			apiVersion: "apps/v1",
			kind: "DaemonSet",
			namespace: "shop",
			name: "agent",
			uid: "1234",
		});
		expect(made?.["action"]).to.equal("Inject");
	});

	it("begins anew for an object that bears the name of one that is gone", async () => {
		const one = new Fixture();
		one.note();
		await one.pass(0);
		one.uids.set("x", "another-uid");
		one.note();
		await one.pass(0);
		const uids = (await one.events()).map((made) => made["regarding"]);
		expect(uids).to.have.length(2);
		expect(JSON.stringify(uids)).to.include("another-uid");
	});

	it("counts the same again in one series, in one update a minute", async () => {
		const one = new Fixture();
		one.note();
		await one.pass(0);
		one.note();
		await one.pass(0);
		expect((await one.events())[0]?.["series"]).to.deep.include({ count: 2 });
		one.server.requests.length = 0;
		for (let second = 0; second < 300; second += 1) {
			one.note();
			await one.pass(1000);
		}
		expect(one.server.writes.length).to.be.within(4, 6);
		await one.pass(minute);
		const events = await one.events();
		expect(events.length).to.equal(1);
		expect(events[0]?.["series"]).to.deep.include({ count: 302 });
	});

	it("goes on counting where another replica stopped", async () => {
		const one = new Fixture();
		one.note();
		one.note();
		await one.pass(2000);
		const next = new Fixture(one.server);
		next.note();
		await next.pass(2000);
		const events = await next.events();
		expect(events.length).to.equal(1);
		expect(events[0]?.["series"]).to.deep.include({ count: 3 });
	});

	it("makes the event again when the server no longer has it", async () => {
		const one = new Fixture();
		one.note();
		await one.pass(0);
		const [made] = await one.events();
		const { name } = (made?.["metadata"] ?? {}) as { readonly name?: string };
		one.server.remove(`/apis/events.k8s.io/v1/namespaces/shop/events/${name}`);
		one.note();
		await one.pass(5000);
		expect((await one.events()).length).to.equal(1);
	});

	it("tells of a cluster-scoped object in the namespace default", async () => {
		const one = new Fixture();
		one.note({ about: { kind: "Mesh", namespace: "", name: "default" } });
		await one.pass(0);
		const [made] = await one.events("default");
		expect(made?.["regarding"]).to.deep.include({ kind: "Mesh" });
	});

	it("asks for a uid that it does not know, and says nothing of an object that is gone", async () => {
		const one = new Fixture();
		const about = { kind: "RouteRule", namespace: "shop", name: "asked" };
		one.note({ about });
		await one.pass(1000);
		expect(await one.events()).to.deep.equal([]);
		one.server.put(
			"/apis/lateen.dev/v1alpha1/namespaces/shop/routerules/asked",
			{ metadata: { name: "asked", namespace: "shop" } },
		);
		one.note({ about, message: "Another." });
		await one.pass(1000);
		expect((await one.events())[0]?.["regarding"]).to.have.property("uid");
	});

	it("is silent on a replica that does not lead", async () => {
		const one = new Fixture();
		one.state.set(false);
		one.note();
		await one.pass(minute);
		one.state.set(true);
		await one.pass(minute);
		expect(one.server.requests).to.deep.equal([]);
	});

	it("bounds different events about one object, in number and length", async () => {
		const one = new Fixture();
		for (let index = 0; index < 200; index += 1)
			one.note({ message: `Proxy ${index} says no: ${"é".repeat(2000)}` });
		await one.pass(2 * minute);
		const events = await one.events();
		expect(events.length).to.equal(11);
		for (const { note } of events)
			expect(Buffer.byteLength(String(note))).to.be.at.most(1024);
		expect(events.at(-1)?.["series"]).to.deep.include({ count: 190 });
	});

	it("remembers a bounded number of events, and none for longer than it counts them", async () => {
		const one = new Fixture();
		one.server.fault = () => "unreachable";
		for (let index = 0; index < 5000; index += 1)
			one.note({
				about: { kind: "RouteRule", namespace: "shop", name: `r${index}` },
			});
		expect(one.clock.waiting).to.be.at.most(1000);
		await one.pass(10 * minute);
		expect(one.clock.waiting).to.equal(0);
		expect(one.logged.length).to.equal(1);
		expect(one.metrics.print()).to.contain(
			"lateen_kube_event_drops_total 5000",
		);
	});

	it("outlives half a minute of trouble", async () => {
		const one = new Fixture();
		one.server.fault = () => ({ status: 500 });
		one.note();
		await one.pass(25_000);
		one.server.fault = () => undefined;
		await one.pass(10_000);
		expect((await one.events()).length).to.equal(1);
	});

	it("drops what the server refuses, and says so once", async () => {
		const one = new Fixture();
		one.server.fault = () => ({ status: 403, reason: "Forbidden" });
		one.note();
		one.note({ message: "Another." });
		await one.pass(minute);
		expect(one.logged.length).to.equal(1);
		expect(one.server.requests.length).to.equal(2);
	});
});
