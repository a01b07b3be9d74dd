import { expect } from "chai";
import { FixedLeader } from "../../test/testkit/fixed-leader.ts";
import { objects, pod } from "../../test/testkit/objects.ts";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { Pod } from "../api/core.ts";
import type { NotedEvent } from "../api/object-event.ts";
import { WritableSignal } from "../lib/signal.ts";
import { tellOfSkippedPods } from "./skipped-pods.ts";

const because = "HostNetwork: It is in the network of its node.";
const owner = {
	apiVersion: "apps/v1",
	kind: "DaemonSet",
	name: "agent",
	uid: "uid-of-agent",
};

function skipped(name: string, fields: Partial<Pod["notInjected"]> = {}): Pod {
	const notInjected = { because, ...fields };
	return pod(`shop/${name}`, { notInjected }, { uid: `uid-${name}` });
}

/** Tells of pods, and what it told. */
function telling(...pods: readonly Pod[]): {
	readonly events: readonly NotedEvent[];
	readonly leader: FixedLeader;
	readonly know: (...pods: readonly Pod[]) => void;
} & Disposable {
	const known = new WritableSignal(objects(...pods));
	const leader = new FixedLeader();
	const events: NotedEvent[] = [];
	const running = tellOfSkippedPods({
		objects: known,
		events: { note: (event) => events.push(event) },
		leader,
		clock: new TestClock(),
	});
	return {
		events,
		leader,
		know: (...now) => known.set(objects(...now)),
		[Symbol.dispose]: () => running[Symbol.dispose](),
	};
}

describe("tellOfSkippedPods", () => {
	it("tells of a pod that nobody makes anew on the pod", () => {
		using told = telling(skipped("web"), pod("fine", {}, { uid: "uid" }));
		expect(told.events).to.deep.equal([
			{
				about: { kind: "Pod", namespace: "shop", name: "web" },
				type: "Warning",
				reason: "NotInjected",
				message: `There is no proxy in the pod: ${because}`,
			},
		]);
	});

	it("tells of others on what makes them, of all in the same words", () => {
		using told = telling(skipped("a", { owner }), skipped("b", { owner }));
		expect(told.events).to.have.length(2);
		expect(told.events[0]).to.deep.equal(told.events[1]);
		expect(told.events[0]).to.deep.include({
			about: { kind: "DaemonSet", namespace: "shop", name: "agent" },
			identity: { apiVersion: "apps/v1", uid: "uid-of-agent" },
		});
	});

	it("tells of each pod once, and again of one that was made anew", () => {
		using told = telling();
		told.know(skipped("web"));
		told.know(skipped("web"), skipped("other"));
		expect(told.events).to.have.length(2);
		told.know();
		told.know(skipped("web"));
		expect(told.events).to.have.length(3);
	});

	it("says nothing while another replica leads, and then all that there is to say", () => {
		using told = telling();
		told.leader.state.set(false);
		told.know(skipped("web"));
		expect(told.events).to.be.empty;
		told.leader.state.set(true);
		expect(told.events).to.have.length(1);
	});
});
