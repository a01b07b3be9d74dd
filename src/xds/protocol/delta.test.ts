import { expect } from "chai";
import {
	deltaRequest,
	type SentDelta,
	sentDeltas,
} from "../../../test/testkit/delta-talk.ts";
import {
	changesOf,
	MemoryResources,
	resource,
} from "../../../test/testkit/memory-resources.ts";
import type { ResourceType } from "../resource-type.ts";
import type { RequestOutcome } from "./delivery.ts";
import { type DeltaRequest, DeltaStream } from "./delta.ts";

/** A delta stream with hand-made resources and time. */
class Conversation {
	readonly resources = new MemoryResources();
	nowMs = 0;
	readonly state: DeltaStream;

	constructor(maxNames = 1000) {
		this.state = new DeltaStream(
			this.resources,
			{ maxNames, maxKept: 2 * maxNames, removalDelayMs: 0 },
			0,
		);
		this.resources.subscribe((changed) => this.state.changed(changed));
	}

	/** Puts `name@version` and removes `-name`, in one change. */
	change(type: ResourceType, ...names: readonly string[]): this {
		return this.changeAll({ [type]: names });
	}

	changeAll(all: { readonly [T in ResourceType]?: readonly string[] }): this {
		this.resources.change(changesOf(all));
		return this;
	}

	ask(type: ResourceType, request: Partial<DeltaRequest> = {}): RequestOutcome {
		return this.state.request(deltaRequest({ type, ...request }), this.nowMs);
	}

	/** Everything that can be sent now. */
	sent(): readonly SentDelta[] {
		return sentDeltas(this.state, this.nowMs);
	}

	/** What can be sent now, without nonces, as `type: body`. */
	said(): readonly string[] {
		return this.sent().map(({ type, body }) => `${type}: ${body.join(" ")}`);
	}

	/** Sends and acknowledges until nothing is left to send; what was sent, as `type: body`. */
	settle(): readonly string[] {
		const said: string[] = [];
		for (;;) {
			const sent = this.sent();
			if (sent.length === 0) return said;
			for (const { type, nonce, body } of sent) {
				said.push(`${type}: ${body.join(" ")}`);
				this.ask(type, { nonce });
			}
		}
	}
}

function only(sent: readonly SentDelta[]): SentDelta {
	expect(sent).to.have.length(1);
	const [one] = sent;
	if (one === undefined) throw new Error("Nothing was sent.");
	return one;
}

/** A proxy that asks for everything in Envoy's order and has acknowledged it. */
function settled(
	all: { readonly [T in ResourceType]?: readonly string[] },
): Conversation {
	const talk = new Conversation();
	talk.changeAll(all);
	talk.ask("cluster");
	talk.settle();
	const endpoints = [...talk.resources.names("endpoint")];
	talk.ask("endpoint", { subscribe: endpoints });
	talk.settle();
	talk.ask("listener");
	talk.settle();
	talk.ask("route", { subscribe: [...talk.resources.names("route")] });
	talk.settle();
	talk.ask("virtualHost");
	talk.settle();
	// Route tables were just built: the pause after that is over.
	talk.nowMs += 1000;
	return talk;
}

describe("DeltaStream", () => {
	describe("subscriptions", () => {
		it("answers a wildcard request with everything, and an acknowledgement with nothing", () => {
			const talk = new Conversation().change("cluster", "x", "y");
			talk.ask("cluster");
			const { nonce, body } = only(talk.sent());
			expect(body).to.deep.equal(["x@1", "y@1"]);
			talk.ask("cluster", { nonce });
			expect(talk.said()).to.deep.equal([]);
		});

		it("answers the first request for clusters and listeners even when there is none", () => {
			const talk = new Conversation();
			talk.ask("cluster");
			talk.ask("listener");
			expect(talk.said()).to.deep.equal(["cluster: ", "listener: "]);
		});

		it("sends a named resource that exists, and names the missing one as removed until it appears", () => {
			const talk = new Conversation().change("endpoint", "a");
			talk.ask("endpoint", { subscribe: ["a", "b"] });
			expect(talk.settle()).to.deep.equal(["endpoint: a@1 -b"]);
			talk.change("endpoint", "b");
			expect(talk.settle()).to.deep.equal(["endpoint: b@1"]);
		});

		it("sends nothing that was not asked for", () => {
			const talk = new Conversation().change("endpoint", "a", "b");
			talk.ask("endpoint", { subscribe: ["a"] });
			talk.settle();
			talk.change("endpoint", "b@2").change("route", "r");
			expect(talk.said()).to.deep.equal([]);
		});

		it("sends a resource again when it is asked for again", () => {
			const talk = new Conversation().change("endpoint", "a");
			talk.ask("endpoint", { subscribe: ["a"] });
			talk.settle();
			talk.ask("endpoint", { subscribe: ["a"] });
			expect(talk.settle()).to.deep.equal(["endpoint: a@1"]);
		});

		it("stays silent after an unsubscription and sends again after the next subscription", () => {
			const talk = new Conversation().change("endpoint", "a");
			talk.ask("endpoint", { subscribe: ["a"] });
			talk.settle();
			talk.ask("endpoint", { unsubscribe: ["a", "never"] });
			talk.change("endpoint", "a@2");
			expect(talk.settle()).to.deep.equal([]);
			talk.ask("endpoint", { subscribe: ["a"] });
			expect(talk.settle()).to.deep.equal(["endpoint: a@2"]);
		});

		it("honours a subscription that comes with a stale nonce", () => {
			const talk = new Conversation().change("endpoint", "a");
			talk.ask("endpoint", { subscribe: [], nonce: "stale" });
			talk.ask("endpoint", { subscribe: ["a"], nonce: "stale" });
			expect(talk.settle()).to.deep.equal(["endpoint: a@1"]);
		});

		it("tells what becomes of a name that is unsubscribed and still covered by the wildcard", () => {
			const talk = new Conversation().change("cluster", "x", "y");
			talk.ask("cluster", { subscribe: ["*", "x"] });
			talk.settle();
			talk.ask("cluster", { unsubscribe: ["x"] });
			expect(talk.settle()).to.deep.equal(["cluster: x@1"]);
		});

		it("keeps only names when the wildcard is unsubscribed", () => {
			const talk = new Conversation().change("cluster", "x", "y");
			talk.ask("cluster", { subscribe: ["*", "x"] });
			talk.settle();
			talk.ask("cluster", { unsubscribe: ["*"] });
			talk.change("cluster", "x@2", "y@2");
			expect(talk.settle()).to.deep.equal(["cluster: x@2"]);
		});

		it("takes an empty first request for endpoints as asking for nothing", () => {
			const talk = new Conversation().change("endpoint", "a");
			talk.ask("endpoint");
			expect(talk.said()).to.deep.equal([]);
		});

		it("refuses more names than a subscription may hold, counting each once", () => {
			const talk = new Conversation(2);
			const ok = talk.ask("endpoint", { subscribe: ["a", "b", "a"] });
			expect(ok.op).to.equal("taken");
			expect(talk.ask("endpoint", { subscribe: ["a", "b"] }).op).to.equal(
				"taken",
			);
			const refused = talk.ask("endpoint", { subscribe: ["c"] });
			expect(refused).to.deep.equal({
				op: "refused",
				reason: "A subscription may hold 2 names; this one asks for 3.",
			});
		});
	});

	it("refuses a proxy that brings more than there can be", () => {
		const talk = new Conversation(1);
		const versions = ["a", "b", "c"].map((name) => [name, "1"] as const);
		const outcome = talk.ask("cluster", { initialVersions: new Map(versions) });
		expect(outcome).to.deep.equal({
			op: "refused",
			reason: "A proxy may bring 2 resources of a type; this one brings 3.",
		});
	});

	describe("changes", () => {
		it("sends only what changed", () => {
			const talk = new Conversation().change("cluster", "x", "y");
			talk.ask("cluster");
			talk.settle();
			talk.change("cluster", "x@2");
			expect(talk.settle()).to.deep.equal(["cluster: x@2"]);
		});

		it("sends nothing when a resource changed back before it could be sent", () => {
			const talk = new Conversation().change("cluster", "x");
			talk.ask("cluster");
			talk.settle();
			talk.change("cluster", "x@2").change("cluster", "x@1");
			expect(talk.said()).to.deep.equal([]);
		});

		it("has one response of a type under way and sends the newest state after its answer", () => {
			const talk = new Conversation().change("endpoint", "a", "b");
			talk.ask("endpoint", { subscribe: ["a", "b"] });
			const { nonce } = only(talk.sent());
			talk.change("endpoint", "a@2").change("endpoint", "a@3");
			expect(talk.said()).to.deep.equal([]);
			talk.ask("endpoint", { nonce });
			expect(talk.settle()).to.deep.equal(["endpoint: a@3"]);
		});

		it("ignores an answer with an unknown nonce", () => {
			const talk = new Conversation().change("endpoint", "a");
			talk.ask("endpoint", { subscribe: ["a"] });
			talk.sent();
			talk.change("endpoint", "a@2");
			talk.ask("endpoint", { nonce: "zz" });
			expect(talk.said()).to.deep.equal([]);
		});

		it("keeps the nonces of two types apart", () => {
			const talk = new Conversation().changeAll({
				endpoint: ["a"],
				route: ["r"],
			});
			talk.ask("endpoint", { subscribe: ["a"] });
			talk.ask("route", { subscribe: ["r"] });
			const [endpoint, route] = talk.sent();
			talk.changeAll({ endpoint: ["a@2"], route: ["r@2"] });
			talk.ask("route", { nonce: endpoint?.nonce ?? "" });
			expect(talk.said()).to.deep.equal([]);
			talk.ask("endpoint", { nonce: endpoint?.nonce ?? "" });
			expect(talk.said()).to.deep.equal(["endpoint: a@2"]);
			talk.ask("route", { nonce: route?.nonce ?? "" });
			expect(talk.said()).to.deep.equal(["route: r@2"]);
		});
	});

	describe("resumption", () => {
		it("sends again only what differs from what the proxy kept", () => {
			const talk = new Conversation().change("endpoint", "a", "b@2", "c");
			const outcome = talk.ask("endpoint", {
				subscribe: ["a", "b", "c"],
				initialVersions: new Map([
					["a", "1"],
					["b", "1"],
				]),
			});
			expect(talk.settle()).to.deep.equal(["endpoint: b@2 c@1"]);
			expect(
				outcome.op === "taken" &&
					outcome.resumed?.resources.map(({ name }) => name),
			).to.deep.equal(["a"]);
		});

		it("answers a resumed wildcard with an empty response when nothing differs", () => {
			const talk = new Conversation().change("cluster", "x");
			talk.ask("cluster", { initialVersions: new Map([["x", "1"]]) });
			expect(talk.settle()).to.deep.equal(["cluster: "]);
			talk.change("cluster", "z");
			expect(talk.settle()).to.deep.equal(["cluster: z@1"]);
		});

		it("removes a kept cluster that is gone after the proxy has resumed what may point there", () => {
			const talk = new Conversation().changeAll({
				cluster: ["x"],
				virtualHost: ["r/a@2"],
				route: ["r"],
				listener: ["l"],
			});
			talk.ask("cluster", {
				initialVersions: new Map([
					["x", "1"],
					["gone", "1"],
				]),
			});
			expect(talk.settle()).to.deep.equal(["cluster: "]);
			talk.ask("listener", { initialVersions: new Map([["l", "1"]]) });
			talk.ask("route", {
				subscribe: ["r"],
				initialVersions: new Map([["r", "1"]]),
			});
			expect(talk.settle()).to.deep.equal(["listener: "]);
			talk.ask("virtualHost", { initialVersions: new Map([["r/a", "1"]]) });
			expect(talk.settle()).to.deep.equal([
				"virtualHost: r/a@2",
				"cluster: -gone",
			]);
		});

		it("removes a kept cluster in the end when the proxy never asks for routes", () => {
			const talk = new Conversation();
			talk.ask("cluster", { initialVersions: new Map([["gone", "1"]]) });
			expect(talk.settle()).to.deep.equal(["cluster: "]);
			const { wakeAtMs } = talk.state;
			expect(wakeAtMs).to.be.greaterThan(0);
			talk.nowMs = wakeAtMs ?? 0;
			expect(talk.settle()).to.deep.equal(["cluster: -gone"]);
		});
	});

	describe("rejections", () => {
		it("records what was rejected and does not send it again until it changes", () => {
			const talk = new Conversation().change("listener", "l", "m");
			talk.ask("listener");
			talk.settle();
			talk.change("listener", "l@2");
			const { nonce } = only(talk.sent());
			const outcome = talk.ask("listener", { nonce, error: "bad port" });
			expect(outcome.op === "taken" && outcome.rejected).to.deep.equal({
				type: "listener",
				resources: [resource("l", "2")],
				condemned: [resource("l", "2")],
				removed: [],
				message: "bad port",
			});
			expect([...talk.state.sentResources("listener")]).to.deep.include({
				name: "l",
				sent: "2",
				acknowledged: "1",
				rejected: true,
			});
			expect(talk.said()).to.deep.equal([]);
			talk.change("listener", "m@2");
			expect(talk.settle()).to.deep.equal(["listener: m@2"]);
			talk.change("listener", "l@3");
			expect(talk.settle()).to.deep.equal(["listener: l@3"]);
			expect([...talk.state.sentResources("listener")]).to.deep.include({
				name: "l",
				sent: "3",
				acknowledged: "3",
				rejected: false,
			});
		});

		it("sends the old version again when the rejected change is taken back, for part of it may have been applied", () => {
			const talk = new Conversation().change("endpoint", "a");
			talk.ask("endpoint", { subscribe: ["a"] });
			talk.settle();
			talk.change("endpoint", "a@2");
			talk.ask("endpoint", { nonce: only(talk.sent()).nonce, error: "no" });
			talk.change("endpoint", "a@1");
			expect(talk.settle()).to.deep.equal(["endpoint: a@1"]);
		});

		it("sends what was rejected together again in halves, with other changes in between and removals as soon as nothing else goes with them", () => {
			const talk = settled({ listener: ["l", "m", "n"] });
			talk.change("listener", "l@2", "bad", "-n");
			talk.ask("listener", { nonce: only(talk.sent()).nonce, error: "no" });
			const first = only(talk.sent());
			expect(first.body).to.deep.equal(["l@2"]);
			talk.change("listener", "m@2");
			talk.ask("listener", { nonce: first.nonce });
			const second = only(talk.sent());
			expect(second.body).to.deep.equal(["m@2", "-n"]);
			talk.ask("listener", { nonce: second.nonce });
			const third = only(talk.sent());
			expect(third.body).to.deep.equal(["bad@1"]);
			talk.ask("listener", { nonce: third.nonce, error: "no" });
			expect(talk.said()).to.deep.equal([]);
			talk.change("listener", "bad@2");
			expect(talk.settle()).to.deep.equal(["listener: bad@2"]);
		});

		it("sends what Envoy's words name one by one after everything else", () => {
			const talk = settled({ cluster: ["x"] });
			talk.change("cluster", "a", "k3", "b", "k6", "c");
			const error =
				"Error adding/updating cluster(s) k3: DNS is odd, k6: no b: here";
			talk.ask("cluster", { nonce: only(talk.sent()).nonce, error });
			expect(talk.settle()).to.deep.equal([
				"cluster: a@1 c@1",
				"cluster: k3@1",
				"cluster: b@1",
				"cluster: k6@1",
			]);
		});

		it("tries the others that were rejected again when one of them has changed, for they may have been in each other's way", () => {
			const talk = settled({ route: ["r"], virtualHost: ["r/a", "r/b"] });
			talk.change("virtualHost", "r/a@2", "r/b@2");
			for (let round = 0; round < 3; round += 1) {
				talk.ask("virtualHost", {
					nonce: only(talk.sent()).nonce,
					error: "the domain is taken",
				});
			}
			expect(talk.settle()).to.deep.equal([]);
			talk.nowMs += 1000;
			talk.change("virtualHost", "r/b@3");
			expect(talk.settle()).to.deep.equal([
				"virtualHost: r/b@3",
				"virtualHost: r/a@2",
			]);
		});

		it("does not let a route point at a new cluster that is still to be sent again", () => {
			const talk = settled({
				cluster: ["x"],
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.changeAll({ cluster: ["bad", "good"] });
			talk.ask("cluster", { nonce: only(talk.sent()).nonce, error: "no" });
			talk.change("virtualHost", "r/a@2>good");
			const first = only(talk.sent());
			expect(first.body).to.deep.equal(["bad@1"]);
			talk.ask("cluster", { nonce: first.nonce, error: "no" });
			expect(talk.settle()).to.deep.equal([
				"cluster: good@1",
				"virtualHost: r/a@2>good",
			]);
		});

		it("removes what was rejected and is gone", () => {
			const talk = settled({ cluster: ["x"] });
			talk.change("cluster", "bad");
			talk.ask("cluster", { nonce: only(talk.sent()).nonce, error: "no" });
			talk.change("cluster", "-bad");
			expect(talk.settle()).to.deep.equal(["cluster: -bad"]);
		});
	});

	describe("order", () => {
		it("sends clusters, endpoints, listeners, routes and virtual hosts in one burst", () => {
			const talk = settled({
				cluster: ["x"],
				endpoint: ["x"],
				listener: ["l"],
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.changeAll({
				virtualHost: ["r/a@2"],
				route: ["r@2"],
				listener: ["l@2"],
				endpoint: ["x@2"],
				cluster: ["x@2"],
			});
			expect(talk.said()).to.deep.equal([
				"cluster: x@2",
				"endpoint: x@2",
				"listener: l@2",
				"route: r@2",
				"virtualHost: r/a@2",
			]);
		});

		it("pushes the unchanged endpoints of a cluster after each update of it", () => {
			const talk = settled({ cluster: ["x", "y"], endpoint: ["x", "y"] });
			talk.change("cluster", "x@2");
			expect(talk.settle()).to.deep.equal(["cluster: x@2", "endpoint: x@1"]);
		});

		it("pushes the endpoints of a new cluster before they are asked for, and virtual hosts after them", () => {
			const talk = settled({
				cluster: ["x"],
				endpoint: ["x"],
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.changeAll({
				cluster: ["new"],
				endpoint: ["new"],
				virtualHost: ["r/a@2>new"],
			});
			const [cluster, endpoint, ...others] = talk.sent();
			expect(cluster?.body).to.deep.equal(["new@1"]);
			expect(endpoint?.body).to.deep.equal(["new@1"]);
			expect(others).to.deep.equal([]);
			talk.ask("cluster", { nonce: cluster?.nonce ?? "" });
			expect(talk.said()).to.deep.equal(["virtualHost: r/a@2>new"]);
		});

		it("does not send a virtual host while a cluster that it needs waits to be sent", () => {
			const talk = settled({
				cluster: ["x"],
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.change("cluster", "x@2");
			const { nonce } = only(talk.sent());
			talk.changeAll({ cluster: ["new"], virtualHost: ["r/a@2>new"] });
			expect(talk.said()).to.deep.equal([]);
			talk.ask("cluster", { nonce });
			expect(talk.settle()).to.deep.equal([
				"cluster: new@1",
				"virtualHost: r/a@2>new",
			]);
		});

		it("does not send a virtual host before the endpoints of a cluster that went and came back", () => {
			const talk = settled({
				cluster: ["x"],
				endpoint: ["x"],
				route: ["r"],
				virtualHost: ["r/a@1>x"],
			});
			const before = talk.changeAll({ cluster: ["y"], endpoint: ["y"] }).sent();
			talk.changeAll({ cluster: ["-y"], endpoint: ["-y"] });
			for (const { type, nonce } of before) talk.ask(type, { nonce });
			talk.settle();
			talk.changeAll({
				cluster: ["y"],
				endpoint: ["y"],
				virtualHost: ["r/a@2>y"],
			});
			expect(talk.settle()).to.deep.equal([
				"cluster: y@1",
				"endpoint: y@1",
				"virtualHost: r/a@2>y",
			]);
		});

		it("sends the endpoints first of a cluster that a proxy brings without them", () => {
			const talk = new Conversation().changeAll({
				cluster: ["x", "y"],
				endpoint: ["x@2", "y"],
				listener: ["l"],
				route: ["r"],
				virtualHost: ["r/a@2>y"],
			});
			const had = (...names: readonly string[]) => ({
				initialVersions: new Map(names.map((name) => [name, "1"])),
			});
			talk.ask("cluster", had("x", "y"));
			talk.ask("endpoint", { subscribe: ["x"], ...had("x") });
			const [, inFlight] = talk.sent();
			expect(inFlight?.body).to.deep.equal(["x@2"]);
			talk.ask("listener", had("l"));
			talk.ask("route", { subscribe: ["r"], ...had("r") });
			talk.ask("virtualHost", had("r/a"));
			expect(talk.said()).to.deep.equal(["listener: "]);
			talk.ask("endpoint", { subscribe: ["y"] });
			talk.ask("endpoint", { nonce: inFlight?.nonce ?? "" });
			expect(talk.said()).to.deep.equal([
				"endpoint: y@1",
				"virtualHost: r/a@2>y",
			]);
		});

		it("sends a virtual host while an update of a known cluster waits", () => {
			const talk = settled({
				cluster: ["x"],
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.change("cluster", "x@2");
			talk.sent();
			talk.changeAll({ cluster: ["x@3"], virtualHost: ["r/a@2"] });
			expect(talk.said()).to.deep.equal(["virtualHost: r/a@2"]);
		});

		it("pushes the endpoints of a cluster that changed while the proxy was away, although it kept them", () => {
			const talk = new Conversation().changeAll({
				cluster: ["x@2"],
				endpoint: ["x"],
			});
			talk.ask("cluster", { initialVersions: new Map([["x", "1"]]) });
			talk.ask("endpoint", {
				subscribe: ["x"],
				initialVersions: new Map([["x", "1"]]),
			});
			expect(talk.said()).to.deep.equal(["cluster: x@2", "endpoint: x@1"]);
		});

		it("removes a cluster only after the virtual hosts that pointed there are acknowledged", () => {
			const talk = settled({
				cluster: ["x", "y"],
				listener: ["l"],
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.changeAll({ cluster: ["-y"], virtualHost: ["r/a@2"] });
			const { nonce, body } = only(talk.sent());
			expect(body).to.deep.equal(["r/a@2"]);
			talk.ask("virtualHost", { nonce });
			expect(talk.settle()).to.deep.equal(["cluster: -y"]);
		});

		it("removes listeners, routes and clusters one after another", () => {
			const talk = settled({
				cluster: ["x"],
				listener: ["l"],
				route: ["r"],
			});
			talk.changeAll({ cluster: ["-x"], listener: ["-l"], route: ["-r"] });
			expect(talk.settle()).to.deep.equal([
				"listener: -l",
				"route: -r",
				"cluster: -x",
			]);
		});

		it("does not hold a removal back for changes that came after it", () => {
			const talk = settled({
				cluster: ["x", "y"],
				listener: ["l"],
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.changeAll({ cluster: ["-y"], virtualHost: ["r/a@2"] });
			const { nonce } = only(talk.sent());
			talk.change("virtualHost", "r/a@3");
			talk.ask("virtualHost", { nonce });
			expect(talk.said()).to.include("cluster: -y");
		});

		it("keeps a cluster as long as a rejected virtual host may still point there", () => {
			const talk = settled({
				cluster: ["x", "y"],
				listener: ["l"],
				route: ["r"],
				virtualHost: ["r/a@1>y"],
			});
			talk.changeAll({ cluster: ["-y"], virtualHost: ["r/a@2>x"] });
			talk.ask("virtualHost", { nonce: only(talk.sent()).nonce, error: "no" });
			expect(talk.settle()).to.deep.equal([]);
			talk.nowMs += 1000;
			talk.change("virtualHost", "r/a@3>x");
			expect(talk.settle()).to.deep.equal([
				"virtualHost: r/a@3>x",
				"cluster: -y",
			]);
		});

		it("keeps no other cluster for a rejected virtual host", () => {
			const talk = settled({
				cluster: ["x", "y", "z"],
				listener: ["l"],
				route: ["r"],
				virtualHost: ["r/a@1>y", "r/b@1>z"],
			});
			talk.changeAll({ cluster: ["-y"], virtualHost: ["r/a@2>x"] });
			talk.ask("virtualHost", { nonce: only(talk.sent()).nonce, error: "no" });
			talk.nowMs += 1000;
			talk.changeAll({ cluster: ["-z"], virtualHost: ["r/b@2>x"] });
			expect(talk.settle()).to.deep.equal([
				"virtualHost: r/b@2>x",
				"cluster: -z",
			]);
		});

		it("keeps every cluster for a virtual host that the proxy brought in an unknown form and does not let be replaced", () => {
			const talk = new Conversation().changeAll({
				cluster: ["x"],
				listener: ["l"],
				route: ["r"],
				virtualHost: ["r/a@2>x"],
			});
			const had = (...names: readonly string[]) => ({
				initialVersions: new Map(names.map((name) => [name, "1"])),
			});
			talk.ask("cluster", had("x", "y"));
			talk.ask("listener", had("l"));
			talk.ask("route", { subscribe: ["r"], ...had("r") });
			talk.ask("virtualHost", had("r/a"));
			for (const { type, nonce } of talk.sent()) {
				talk.ask(type, {
					nonce,
					error: type === "virtualHost" ? "no" : undefined,
				});
			}
			expect(talk.settle()).to.deep.equal([]);
			talk.nowMs += 1000;
			talk.change("virtualHost", "r/a@3>x");
			expect(talk.settle()).to.deep.equal([
				"virtualHost: r/a@3>x",
				"cluster: -y",
			]);
		});

		it("keeps a cluster that came back before it was removed", () => {
			const talk = settled({
				cluster: ["x"],
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.changeAll({ cluster: ["-x"], virtualHost: ["r/a@2"] });
			const { nonce } = only(talk.sent());
			talk.change("cluster", "x");
			talk.ask("virtualHost", { nonce });
			expect(talk.settle()).to.deep.equal([]);
		});
	});

	describe("virtual hosts", () => {
		it("never answers the first request for them with an empty response", () => {
			const talk = new Conversation().changeAll({ route: ["r"] });
			talk.ask("route", { subscribe: ["r"] });
			talk.settle();
			talk.ask("virtualHost");
			expect(talk.settle()).to.deep.equal(["virtualHost: -r/none"]);
		});

		it("sends those of route configurations that were sent and no others", () => {
			const talk = new Conversation().changeAll({
				route: ["r", "s"],
				virtualHost: ["r/a", "s/a", "t/a"],
			});
			talk.ask("route", { subscribe: ["r"] });
			talk.settle();
			talk.ask("virtualHost");
			expect(talk.settle()).to.deep.equal(["virtualHost: r/a@1"]);
			talk.change("virtualHost", "s/a@2");
			expect(talk.settle()).to.deep.equal([]);
		});

		it("follow a new route configuration although nobody asks for them again", () => {
			const talk = settled({
				route: ["r"],
				virtualHost: ["r/a"],
			});
			talk.changeAll({
				route: ["s", "empty"],
				virtualHost: ["s/a", "s/b"],
			});
			talk.ask("route", { subscribe: ["s", "empty"] });
			expect(talk.said()).to.deep.equal([
				"route: s@1 empty@1",
				"virtualHost: s/a@1 s/b@1 -empty/none",
			]);
		});

		it("are sent again with a route configuration that was dropped and is wanted again", () => {
			const talk = settled({
				route: ["r", "s"],
				virtualHost: ["r/a", "s/a"],
			});
			talk.ask("route", { unsubscribe: ["s"] });
			talk.change("virtualHost", "s/a@2");
			expect(talk.settle()).to.deep.equal([]);
			talk.ask("route", { subscribe: ["s"] });
			expect(talk.settle()).to.deep.equal(["route: s@1", "virtualHost: s/a@2"]);
		});

		it("are complete even when they are asked for before the route configuration that changed", () => {
			const talk = new Conversation().changeAll({
				route: ["r@2"],
				virtualHost: ["r/a", "r/b"],
			});
			talk.ask("virtualHost", { initialVersions: new Map([["r/a", "1"]]) });
			talk.ask("route", {
				subscribe: ["r"],
				initialVersions: new Map([["r", "1"]]),
			});
			expect(talk.settle()).to.deep.equal(["route: r@2", "virtualHost: r/b@1"]);
		});

		it("are not sent again when their route configuration changes", () => {
			const talk = settled({ route: ["r"], virtualHost: ["r/a"] });
			talk.change("route", "r@2");
			expect(talk.settle()).to.deep.equal(["route: r@2"]);
		});

		it("move between names in one response", () => {
			const talk = settled({ route: ["r"], virtualHost: ["r/a"] });
			talk.change("virtualHost", "-r/a", "r/b");
			expect(talk.settle()).to.deep.equal(["virtualHost: r/b@1 -r/a"]);
		});

		it("wait until the proxy had rest from the last ones, but the first changes do not", () => {
			const talk = settled({ route: ["r"], virtualHost: ["r/a"] });
			for (const version of [2, 3, 4, 5, 6]) {
				talk.change("virtualHost", `r/a@${version}`);
				const { nonce } = only(talk.sent());
				talk.nowMs += 400;
				talk.ask("virtualHost", { nonce });
			}
			talk.change("virtualHost", "r/a@7");
			expect(talk.said()).to.deep.equal([]);
			expect(talk.state.wakeAtMs).to.equal(talk.nowMs + 600);
			talk.change("virtualHost", "r/a@8");
			talk.nowMs += 600;
			expect(talk.said()).to.deep.equal(["virtualHost: r/a@8"]);
		});

		it("of a new route configuration do not wait for that", () => {
			const talk = settled({ route: ["r"], virtualHost: ["r/a"] });
			for (const version of [2, 3, 4, 5, 6]) {
				talk.change("virtualHost", `r/a@${version}`);
				const { nonce } = only(talk.sent());
				talk.nowMs += 400;
				talk.ask("virtualHost", { nonce });
			}
			talk.changeAll({ route: ["s"], virtualHost: ["s/a", "r/a@7"] });
			talk.ask("route", { subscribe: ["s"] });
			expect(talk.said()).to.deep.equal([
				"route: s@1",
				"virtualHost: r/a@7 s/a@1",
			]);
		});
	});
});
