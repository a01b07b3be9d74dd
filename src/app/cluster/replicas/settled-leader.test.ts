import { expect } from "chai";
import { WritableSignal } from "../../../lib/signal.ts";
import { settledLeader } from "./settled-leader.ts";

describe("settledLeader", () => {
	it("leads while both are so, and tells each change once", () => {
		const state = new WritableSignal(false);
		const isSettled = new WritableSignal(false);
		const settled = settledLeader(
			{ isLeader: () => state.value, state },
			isSettled,
		);
		const heard: boolean[] = [];
		settled.state.subscribe((leads) => heard.push(leads));
		state.set(true);
		expect(settled.isLeader()).to.equal(false);
		isSettled.set(true);
		expect(settled.isLeader()).to.equal(true);
		state.set(false);
		expect(settled.isLeader()).to.equal(false);
		state.set(true);
		expect(heard).to.deep.equal([true, false, true]);
		settled[Symbol.dispose]();
		state.set(false);
		expect(heard).to.have.length(3);
	});
});
