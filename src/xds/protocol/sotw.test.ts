import { fromBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import {
	changesOf,
	MemoryResources,
	resource,
} from "../../../test/testkit/memory-resources.ts";
import { DiscoveryResponseSchema } from "../../gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import { type ResourceType, typeUrls } from "../resource-type.ts";
import type { RequestOutcome } from "./delivery.ts";
import { type SotwRequest, SotwStream, type SotwType } from "./sotw.ts";

interface Sent {
	readonly type: ResourceType;
	readonly nonce: string;
	readonly version: string;
	/** `name@version` of each resource. */
	readonly body: readonly string[];
}

/** A state-of-the-world stream with hand-made resources and time. */
class Conversation {
	readonly resources = new MemoryResources();
	nowMs = 0;
	readonly state: SotwStream;

	constructor(maxNames = 1000) {
		this.state = new SotwStream(
			this.resources,
			{ maxNames, maxKept: 2 * maxNames, removalDelayMs: 0 },
			0,
		);
		this.resources.subscribe((changed) => this.state.changed(changed));
	}

	/** Puts `name@version` and removes `-name`, in one change. */
	change(
		all: {
			readonly [T in ResourceType]?: readonly string[];
		},
	): this {
		this.resources.change(changesOf(all));
		return this;
	}

	ask(
		type: SotwType,
		names: readonly string[] = [],
		answer: Partial<SotwRequest> = {},
	): RequestOutcome {
		return this.state.request(
			{ type, names, nonce: "", error: undefined, ...answer },
			this.nowMs,
		);
	}

	/** Everything that can be sent now. */
	sent(): readonly Sent[] {
		const all: Sent[] = [];
		for (;;) {
			const outgoing = this.state.next(this.nowMs);
			if (outgoing === undefined) return all;
			const { type, nonce } = outgoing;
			const message = fromBinary(
				DiscoveryResponseSchema,
				Buffer.concat(outgoing.parts),
			);
			expect(message.typeUrl).to.equal(typeUrls[type]);
			expect(message.nonce).to.equal(nonce);
			const body = message.resources.map(({ typeUrl, value }) => {
				expect(typeUrl).to.equal(typeUrls[type]);
				return Buffer.from(value).toString();
			});
			all.push({ type, nonce, version: message.versionInfo, body });
		}
	}

	/** What can be sent now, as `type: body`. */
	said(): readonly string[] {
		return this.sent().map(({ type, body }) => `${type}: ${body.join(" ")}`);
	}
}

function only(sent: readonly Sent[]): Sent {
	expect(sent).to.have.length(1);
	const [one] = sent;
	if (one === undefined) throw new Error("Nothing was sent.");
	return one;
}

describe("SotwStream", () => {
	it("goes through a subscription that grows, a stale answer and a rejection", () => {
		const talk = new Conversation().change({ endpoint: ["a", "b", "c"] });
		talk.ask("endpoint", ["a"]);
		const first = only(talk.sent());
		expect(first.body).to.deep.equal(["a@1"]);
		talk.ask("endpoint", ["a"], { nonce: first.nonce });
		expect(talk.said()).to.deep.equal([]);

		talk.ask("endpoint", ["a", "b"], { nonce: first.nonce });
		const second = only(talk.sent());
		expect(second.body).to.deep.equal(["b@1"]);
		talk.ask("endpoint", ["a", "b"], { nonce: second.nonce });
		talk.change({ endpoint: ["a@2"] });
		const third = only(talk.sent());
		expect(third.body).to.deep.equal(["a@2"]);

		// Sent before the client saw the third response: neither an answer nor a subscription.
		talk.ask("endpoint", ["a", "b", "c"], { nonce: second.nonce });
		expect(talk.said()).to.deep.equal([]);

		const outcome = talk.ask("endpoint", ["a", "b", "c"], {
			nonce: third.nonce,
			error: "no such thing",
		});
		expect(outcome.op === "taken" && outcome.rejected).to.deep.equal({
			type: "endpoint",
			resources: [resource("a", "2")],
			condemned: [resource("a", "2")],
			removed: [],
			message: "no such thing",
		});
		const fourth = only(talk.sent());
		expect(fourth.body).to.deep.equal(["c@1"]);
		talk.ask("endpoint", ["a", "b", "c"], { nonce: fourth.nonce });
		expect(talk.said()).to.deep.equal([]);
		talk.change({ endpoint: ["a@3"] });
		expect(talk.said()).to.deep.equal(["endpoint: a@3"]);
	});

	const wildcards: readonly {
		readonly name: string;
		readonly asks: readonly (readonly string[])[];
		readonly want: readonly string[];
	}[] = [
		{ name: "no names", asks: [[]], want: ["A@1", "B@1"] },
		{ name: "`*`", asks: [["*"]], want: ["A@1", "B@1"] },
		{ name: "`*` and a name", asks: [["*", "A"]], want: ["A@1", "B@1"] },
		{ name: "a name", asks: [["A"]], want: ["A@1"] },
		{ name: "a name after no names", asks: [[], ["A"]], want: ["A@1"] },
		{ name: "no names after a name", asks: [["A"], []], want: [] },
		{ name: "a name after `*`", asks: [["*"], ["A"]], want: ["A@1"] },
		{ name: "`*` after a name", asks: [["A"], ["*"]], want: ["A@1", "B@1"] },
	];
	for (const { name, asks, want } of wildcards) {
		it(`sends what ${name} of listeners asks for`, () => {
			const talk = new Conversation().change({ listener: ["A", "B", "C"] });
			let nonce = "";
			for (const names of asks) {
				talk.ask("listener", names, { nonce });
				nonce = talk.sent().at(-1)?.nonce ?? nonce;
			}
			talk.ask("listener", asks.at(-1), { nonce });
			talk.change({ listener: ["-C", "D"] });
			talk.change({ listener: ["-D"] });
			// Something that everybody gets to see, so that there is a list to look at.
			talk.ask("listener", [...(asks.at(-1) ?? [])], { nonce: "" });
			expect(only(talk.sent()).body).to.deep.equal(want);
		});
	}

	it("answers the first request for clusters even when there is none, and stays silent about endpoints that do not exist", () => {
		const talk = new Conversation();
		talk.ask("cluster");
		talk.ask("endpoint", ["a"]);
		expect(talk.said()).to.deep.equal(["cluster: "]);
		talk.change({ endpoint: ["a"] });
		expect(talk.said()).to.deep.equal(["endpoint: a@1"]);
	});

	it("lists all listeners when one changes, and leaves out what is gone", () => {
		const talk = new Conversation().change({ listener: ["l", "m"] });
		talk.ask("listener");
		const first = only(talk.sent());
		talk.ask("listener", [], { nonce: first.nonce });
		talk.change({ listener: ["l@2"] });
		const second = only(talk.sent());
		expect(second.body).to.deep.equal(["l@2", "m@1"]);
		talk.ask("listener", [], { nonce: second.nonce });
		talk.change({ listener: ["-m"] });
		expect(only(talk.sent()).body).to.deep.equal(["l@2"]);
	});

	it("gives equal content equal versions, on every stream", () => {
		const versions = [1, 2].map(() => {
			const talk = new Conversation().change({ cluster: ["x", "y"] });
			talk.ask("cluster");
			return only(talk.sent()).version;
		});
		expect(versions[0]).to.equal(versions[1]);
		const talk = new Conversation().change({ cluster: ["x", "y@2"] });
		talk.ask("cluster");
		expect(only(talk.sent()).version).not.to.equal(versions[0]);
	});

	it("sends everything again on a new stream", () => {
		const talk = new Conversation().change({ endpoint: ["a", "b"] });
		talk.ask("endpoint", ["a", "b"]);
		expect(talk.said()).to.deep.equal(["endpoint: a@1 b@1"]);
	});

	it("pushes the unchanged endpoints of an updated cluster, and routes after those of a new one", () => {
		const talk = new Conversation().change({
			cluster: ["x"],
			endpoint: ["x"],
			route: ["r"],
		});
		talk.ask("cluster");
		talk.ask("cluster", [], { nonce: only(talk.sent()).nonce });
		talk.ask("endpoint", ["x"]);
		const endpoint = only(talk.sent());
		talk.ask("endpoint", ["x"], { nonce: endpoint.nonce });
		talk.ask("route", ["r"]);
		talk.ask("route", ["r"], { nonce: only(talk.sent()).nonce });
		talk.nowMs += 1000;

		talk.change({
			cluster: ["x@2", "new"],
			endpoint: ["new"],
			route: ["r@2>new"],
		});
		const burst = talk.sent();
		expect(
			burst.map(({ type, body }) => `${type}: ${body.join(" ")}`),
		).to.deep.equal(["cluster: x@2 new@1", "endpoint: x@1"]);
		talk.ask("cluster", [], { nonce: burst[0]?.nonce ?? "" });
		expect(talk.said()).to.deep.equal([]);
		talk.ask("endpoint", ["x", "new"], { nonce: burst[1]?.nonce ?? "" });
		expect(talk.said()).to.deep.equal(["endpoint: new@1", "route: r@2>new"]);
	});

	it("sends a route that points at a new cluster when the client has acknowledged it, and holds up no other", () => {
		const talk = new Conversation().change({
			cluster: ["x"],
			route: ["r@1>x", "s@1>x"],
		});
		talk.ask("cluster");
		talk.ask("cluster", [], { nonce: only(talk.sent()).nonce });
		talk.ask("route", ["r", "s"]);
		talk.ask("route", ["r", "s"], { nonce: only(talk.sent()).nonce });
		talk.nowMs += 1000;
		talk.change({ cluster: ["y"], route: ["r@2>y", "s@2>x"] });
		const [clusters, routes, ...others] = talk.sent();
		expect(clusters?.body).to.deep.equal(["x@1", "y@1"]);
		expect(routes?.body).to.deep.equal(["s@2>x"]);
		expect(others).to.deep.equal([]);
		talk.ask("route", ["r", "s"], { nonce: routes?.nonce ?? "" });
		talk.ask("cluster", [], { nonce: clusters?.nonce ?? "" });
		talk.nowMs += 1000;
		expect(talk.said()).to.deep.equal(["route: r@2>y"]);
	});

	it("keeps a listener in the list as it was until the client has acknowledged the cluster that the new form points at", () => {
		const talk = new Conversation().change({
			cluster: ["x"],
			listener: ["k", "l@1>x"],
		});
		talk.ask("cluster");
		talk.ask("cluster", [], { nonce: only(talk.sent()).nonce });
		talk.ask("listener");
		talk.ask("listener", [], { nonce: only(talk.sent()).nonce });
		talk.change({ cluster: ["y"], listener: ["k@2", "l@2>y", "m@1>y"] });
		const [clusters, listeners, ...others] = talk.sent();
		expect(clusters?.body).to.deep.equal(["x@1", "y@1"]);
		expect(listeners?.body).to.deep.equal(["k@2", "l@1>x"]);
		expect(others).to.deep.equal([]);
		talk.ask("listener", [], { nonce: listeners?.nonce ?? "" });
		expect(talk.said()).to.deep.equal([]);
		talk.ask("cluster", [], { nonce: clusters?.nonce ?? "" });
		expect(talk.said()).to.deep.equal(["listener: k@2 l@2>y m@1>y"]);
	});

	it("holds no route back for a cluster that the client did not ask for", () => {
		const talk = new Conversation().change({
			cluster: ["x", "y"],
			route: ["r@1>x"],
		});
		talk.ask("route", ["r"]);
		talk.ask("route", ["r"], { nonce: only(talk.sent()).nonce });
		talk.ask("cluster", ["x"]);
		talk.ask("cluster", ["x"], { nonce: only(talk.sent()).nonce });
		talk.nowMs += 1000;
		talk.change({ route: ["r@2>y"] });
		expect(talk.said()).to.deep.equal(["route: r@2>y"]);
	});

	it("keeps a cluster in the list until the route that pointed there is replaced", () => {
		const talk = new Conversation().change({
			cluster: ["x", "y"],
			listener: ["l"],
			route: ["r"],
		});
		talk.ask("cluster");
		talk.ask("cluster", [], { nonce: only(talk.sent()).nonce });
		talk.ask("listener");
		talk.ask("listener", [], { nonce: only(talk.sent()).nonce });
		talk.ask("route", ["r"]);
		talk.ask("route", ["r"], { nonce: only(talk.sent()).nonce });
		talk.nowMs += 1000;

		talk.change({ cluster: ["x@2", "-y"], route: ["r@2"] });
		const burst = talk.sent();
		expect(
			burst.map(({ type, body }) => `${type}: ${body.join(" ")}`),
		).to.deep.equal(["cluster: x@2 y@1", "route: r@2"]);
		talk.ask("cluster", [], { nonce: burst[0]?.nonce ?? "" });
		expect(talk.said()).to.deep.equal([]);
		talk.ask("route", ["r"], { nonce: burst[1]?.nonce ?? "" });
		expect(talk.said()).to.deep.equal(["cluster: x@2"]);
	});

	it("spreads many large resources over several responses", () => {
		const talk = new Conversation();
		const names = Array.from({ length: 30 }, (_, index) => `e${index}`);
		talk.resources.change(
			names.map((name) => ({
				type: "endpoint",
				put: { ...resource(name), bytes: Buffer.alloc(200_000) },
			})),
		);
		talk.ask("endpoint", names);
		const counts: number[] = [];
		for (;;) {
			const [sent] = talk.sent();
			if (sent === undefined) break;
			counts.push(sent.body.length);
			talk.ask("endpoint", names, { nonce: sent.nonce });
		}
		expect(counts).to.deep.equal([11, 11, 8]);
	});

	it("refuses more names than a subscription may hold", () => {
		const talk = new Conversation(2);
		expect(talk.ask("endpoint", ["a", "b", "c"]).op).to.equal("refused");
	});
});
