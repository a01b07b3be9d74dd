import { expect } from "chai";
import {
	deltaRequest,
	type SentDelta,
	sentDeltas,
} from "../../../test/testkit/delta-talk.ts";
import {
	type MemoryChange,
	MemoryResources,
	resource,
} from "../../../test/testkit/memory-resources.ts";
import type { ResourceType } from "../resource-type.ts";
import { DeltaStream } from "./delta.ts";

const removalDelayMs = 10_000;

/** What was sent, with it as `type name@version -name`. */
interface Sent extends SentDelta {
	readonly text: string;
}

/** A proxy that has acknowledged a route configuration, some clusters and the virtual hosts that point at them. */
class Proxy {
	readonly resources = new MemoryResources();
	readonly state = new DeltaStream(
		this.resources,
		{ maxNames: 100, maxKept: 100, removalDelayMs },
		0,
		({ version }) => !version.startsWith("unproven"),
	);
	nowMs = 0;

	constructor(
		clusters: readonly string[],
		hosts: Readonly<Record<string, string>>,
	) {
		this.resources.subscribe((changed) => this.state.changed(changed));
		this.change(
			...clusters.map((name) => cluster(name)),
			{ type: "route", put: resource("r") },
			...Object.entries(hosts).map(([name, to]) => host(name, "1", to)),
		);
		for (const type of ["cluster", "listener", "route", "virtualHost"] as const)
			this.ask(type, type === "route" ? ["r"] : []);
		this.settle();
		// Route tables were just built: the pause after that is over.
		this.nowMs += 1_000;
	}

	change(...changes: readonly MemoryChange[]): void {
		this.resources.change(changes);
	}

	ask(type: ResourceType, subscribe: readonly string[] = []): void {
		this.#request({ type, subscribe, nonce: "" });
	}

	answer({ type, nonce }: Sent, error?: string): void {
		this.#request({ type, nonce, error });
	}

	#request(request: Parameters<typeof deltaRequest>[0]): void {
		this.state.request(deltaRequest(request), this.nowMs);
	}

	/** What can be sent now. */
	sent(): readonly Sent[] {
		return sentDeltas(this.state, this.nowMs).map((one) => ({
			...one,
			text: `${one.type} ${one.body.join(" ")}`,
		}));
	}

	said(): readonly string[] {
		return this.sent().map(({ text }) => text);
	}

	/** Acknowledges until nothing more is sent. */
	settle(): readonly string[] {
		const said: string[] = [];
		for (let sent = this.sent(); sent.length > 0; sent = this.sent()) {
			for (const one of sent) {
				said.push(one.text);
				this.answer(one);
			}
		}
		return said;
	}
}

function cluster(name: string, version = "1"): MemoryChange {
	return { type: "cluster", put: resource(name, version) };
}

/** A virtual host that sends requests to one cluster. */
function host(name: string, version: string, to: string): MemoryChange {
	const put = { ...resource(`r/${name}`, version), clusters: [to] };
	return { type: "virtualHost", put };
}

function gone(name: string): MemoryChange {
	return { type: "cluster", remove: name };
}

describe("a virtual host that moves to a new cluster", () => {
	it("is sent when the proxy has acknowledged the cluster", () => {
		const proxy = new Proxy(["x"], { a: "x" });
		proxy.change(cluster("y"), host("a", "2", "y"));
		const [sent, ...others] = proxy.sent();
		expect(sent?.text).to.equal("cluster y@1");
		expect(others).to.deep.equal([]);
		if (sent) proxy.answer(sent);
		expect(proxy.said()).to.deep.equal(["virtualHost r/a@2"]);
	});

	it("holds up no other", () => {
		const proxy = new Proxy(["x"], { a: "x", b: "x" });
		proxy.change(cluster("y"), host("a", "2", "y"), host("b", "2", "x"));
		expect(proxy.said()).to.deep.equal(["cluster y@1", "virtualHost r/b@2"]);
	});

	it("is sent in the form that is current when its turn has come", () => {
		const proxy = new Proxy(["x"], { a: "x" });
		proxy.change(cluster("y"), host("a", "2", "y"));
		const [sent] = proxy.sent();
		proxy.change(host("a", "3", "y"));
		if (sent) proxy.answer(sent);
		expect(proxy.settle()).to.deep.equal(["virtualHost r/a@3"]);
	});

	it("does not wait for a cluster that only changed", () => {
		const proxy = new Proxy(["x"], { a: "x" });
		proxy.change(cluster("x", "2"), host("a", "2", "x"));
		expect(proxy.said()).to.deep.equal(["cluster x@2", "virtualHost r/a@2"]);
	});

	it("does not wait for one that the proxy refused for certain, or what else it says would never come", () => {
		const proxy = new Proxy(["x"], { a: "x" });
		proxy.change(cluster("y"), host("a", "2", "y"));
		const [sent] = proxy.sent();
		if (sent) proxy.answer(sent, "bad cluster");
		expect(proxy.settle()).to.include("virtualHost r/a@2");
	});

	it("does not wait for one that does not exist", () => {
		const proxy = new Proxy(["x"], { a: "x" });
		proxy.change(host("a", "2", "nowhere"));
		expect(proxy.said()).to.deep.equal(["virtualHost r/a@2"]);
	});
});

describe("a cluster at which nothing points any more", () => {
	it("stays for a while after that is acknowledged", () => {
		const proxy = new Proxy(["x", "y"], { a: "y" });
		proxy.change(gone("y"), host("a", "2", "x"));
		expect(proxy.settle()).to.deep.equal(["virtualHost r/a@2"]);
		expect(proxy.state.wakeAtMs).to.equal(proxy.nowMs + removalDelayMs);
		proxy.nowMs += removalDelayMs - 1;
		expect(proxy.settle()).to.deep.equal([]);
		proxy.nowMs += 1;
		expect(proxy.settle()).to.deep.equal(["cluster -y"]);
	});

	it("is not waited for from the change on, but from the acknowledgement", () => {
		const proxy = new Proxy(["x", "y"], { a: "y" });
		proxy.change(gone("y"), host("a", "2", "x"));
		const [sent] = proxy.sent();
		proxy.nowMs += removalDelayMs;
		if (sent) proxy.answer(sent);
		expect(proxy.settle()).to.deep.equal([]);
		proxy.nowMs += removalDelayMs;
		expect(proxy.settle()).to.deep.equal(["cluster -y"]);
	});

	it("stays as long as what no longer points there is not acknowledged, also when that went apart and other changes came since", () => {
		const proxy = new Proxy(["x", "y"], { a: "y", b: "x" });
		proxy.change(gone("y"), host("a", "unproven", "x"), host("b", "2", "x"));
		const [proven] = proxy.sent();
		expect(proven?.text).to.equal("virtualHost r/b@2");
		proxy.change(cluster("x", "2"));
		if (proven) proxy.answer(proven);
		const sent = proxy.sent();
		const apart = sent.find(({ type }) => type === "virtualHost");
		expect(apart?.text).to.equal("virtualHost r/a@unproven");
		for (const one of sent) if (one !== apart) proxy.answer(one);
		proxy.nowMs += removalDelayMs;
		expect(proxy.settle()).to.deep.equal([]);
		proxy.nowMs += removalDelayMs;
		expect(proxy.settle()).to.deep.equal([]);
		if (apart) proxy.answer(apart);
		expect(proxy.settle()).to.deep.equal([]);
		proxy.nowMs += removalDelayMs;
		expect(proxy.settle()).to.deep.equal(["cluster -y"]);
	});

	it("stays as long as the removal of what pointed there is not acknowledged, also when that had to wait for other responses", () => {
		const proxy = new Proxy(["x", "y"], { a: "y", b: "x", c: "x" });
		proxy.change(
			gone("y"),
			{ type: "virtualHost", remove: "r/a" },
			host("b", "2", "x"),
			host("c", "unproven", "x"),
		);
		const [proven] = proxy.sent();
		expect(proven?.text).to.equal("virtualHost r/b@2");
		proxy.change(host("b", "3", "x"));
		if (proven) proxy.answer(proven);
		const [removal] = proxy.sent();
		expect(removal?.text).to.equal("virtualHost r/c@unproven -r/a");
		proxy.nowMs += removalDelayMs;
		expect(proxy.settle()).to.deep.equal([]);
		proxy.nowMs += removalDelayMs;
		expect(proxy.settle()).to.deep.equal([]);
		if (removal) proxy.answer(removal);
		expect(proxy.settle()).to.deep.equal(["virtualHost r/b@3"]);
		proxy.nowMs += removalDelayMs;
		expect(proxy.settle()).to.deep.equal(["cluster -y"]);
	});

	it("stays as long as a proxy that came back does not answer, for it may not have said all that it has", () => {
		const proxy = new Proxy(["x", "y"], { a: "x" });
		const stream = new DeltaStream(
			proxy.resources,
			{ maxNames: 100, maxKept: 100, removalDelayMs },
			0,
		);
		const request = deltaRequest({
			type: "cluster",
			initialVersions: new Map([["z", "1"]]),
		});
		stream.request(request, 0);
		const nonce = stream.next(0)?.nonce ?? "";
		expect(stream.next(60_000)).to.equal(undefined);
		expect(stream.next(120_000)).to.equal(undefined);
		stream.request({ ...request, nonce }, 120_000);
		expect(stream.next(120_000)).to.equal(undefined);
		expect(stream.wakeAtMs).to.equal(120_000 + removalDelayMs);
		expect(stream.next(120_000 + removalDelayMs)?.count).to.equal(1);
	});

	it("that comes back in time was never gone", () => {
		const proxy = new Proxy(["x", "y"], { a: "y" });
		proxy.change(gone("y"), host("a", "2", "x"));
		proxy.settle();
		proxy.nowMs += removalDelayMs - 1;
		proxy.change(cluster("y"), host("a", "3", "y"));
		expect(proxy.settle()).to.deep.equal(["virtualHost r/a@3"]);
		proxy.nowMs += removalDelayMs;
		expect(proxy.settle()).to.deep.equal([]);
	});

	it("begins its time anew when it goes again", () => {
		const proxy = new Proxy(["x", "y"], { a: "y" });
		proxy.change(gone("y"), host("a", "2", "x"));
		proxy.settle();
		proxy.nowMs += removalDelayMs - 1;
		proxy.change(cluster("y"));
		proxy.settle();
		proxy.change(gone("y"));
		proxy.settle();
		proxy.nowMs += removalDelayMs - 1;
		expect(proxy.settle()).to.deep.equal([]);
		proxy.nowMs += 1;
		expect(proxy.settle()).to.deep.equal(["cluster -y"]);
	});

	it("goes at once when too many others stay, the oldest first", () => {
		const names = Array.from({ length: 1_005 }, (_, index) => `y${index}`);
		const proxy = new Proxy(["x", ...names], { a: "x" });
		proxy.change(...names.map(gone));
		expect(proxy.settle()).to.deep.equal(["cluster -y0 -y1 -y2 -y3 -y4"]);
		proxy.nowMs += removalDelayMs;
		const [last = ""] = proxy.settle();
		expect(last.split(" ")).to.have.length(1_001);
	});
});
