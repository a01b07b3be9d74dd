/*
 * Proxies that misbehave, over real streams: what it costs them, and that it
 * costs nobody else anything.
 */
import { expect } from "chai";
import type { ObjectRef } from "../../src/api/object-ref.ts";
import type { ApiObject } from "../../src/api/objects.ts";
import { FastClock } from "../testkit/fast-clock.ts";
import { endpointSlice, routeRule, service } from "../testkit/objects.ts";
import { ServedObjects, type ServedPace } from "../testkit/served-objects.ts";
import { WireProxy } from "../testkit/wire-proxy.ts";

const names = Array.from({ length: 10 }, (_, index) => `s${index}`);

function refOf(name: string): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name };
}

function markOf(name: string, generation: number): string {
	return `${name}-has-generation-${generation}-here`;
}

function ruleOf(name: string, generation: number): ApiObject {
	return routeRule(
		name,
		{
			match: [{ path: { prefix: "/" } }],
			headers: { response: { set: { "x-mark": markOf(name, generation) } } },
		},
		{ generation },
	);
}

function objectsOf(name: string): readonly ApiObject[] {
	return [
		service(name),
		endpointSlice(name, { endpoints: ["10.0.0.1"] }),
		ruleOf(name, 1),
	];
}

const pace: ServedPace = {
	build: { quietMs: 10, maxMs: 200 },
	status: { quietMs: 20, maxMs: 100 },
	progressMs: 1000,
};

describe("proxies that misbehave", function () {
	this.timeout(10_000);
	let clock: FastClock;
	let served: ServedObjects;
	let proxies: WireProxy[];

	beforeEach(async () => {
		proxies = [];
		await serve(20);
	});

	async function serve(timesAsFast: number): Promise<void> {
		clock = new FastClock(timesAsFast);
		served = await ServedObjects.start(clock, pace, names.flatMap(objectsOf));
	}

	afterEach(async () => {
		for (const proxy of proxies) proxy.cut();
		await served[Symbol.asyncDispose]();
	});

	function proxy(name: string): WireProxy {
		const made = new WireProxy(served, `default/${name}`);
		proxies.push(made);
		made.connect();
		return made;
	}

	/** The rule is live in this generation on this many proxies. */
	async function live(name: string, generation: number, count: number) {
		await served.untilLive(refOf(name), generation, count);
	}

	it("one that says nothing delays only itself, and the status names it", async () => {
		const [good, silent] = [proxy("good"), proxy("silent")];
		await live("s0", 1, 2);
		silent.manner = "silent";
		served.put(ruleOf("s0", 2));
		await good.until((one) => one.has(markOf("s0", 2)));
		const { proxies: counts } = await served.until(
			refOf("s0"),
			({ status, reason, observedGeneration, message }) =>
				status === "False" &&
				reason === "Distributing" &&
				observedGeneration === 2 &&
				message.startsWith("1 of 2") &&
				message.includes("default/silent"),
		);
		expect(counts).to.deep.equal({ total: 2, acknowledged: 1, rejected: 0 });
		// Later changes reach the other all the same, and cost the silent one no second message.
		const before = silent.responses;
		for (const generation of [3, 4, 5]) {
			served.put(ruleOf("s0", generation), ruleOf("s1", generation));
			await good.until((one) => one.has(markOf("s1", generation)));
		}
		expect(silent.responses - before).to.be.lessThan(2);
		silent.speak();
		await live("s0", 5, 2);
		await live("s1", 5, 2);
	});

	it("one that says nothing from its first response on is waited for after a while, and no longer when it goes", async () => {
		const good = proxy("good");
		await live("s0", 1, 1);
		const silent = new WireProxy(served, "default/silent");
		proxies.push(silent);
		silent.manner = "silent";
		silent.connect();
		await served.until(
			refOf("s0"),
			({ status, message }, { proxies: { total } }) =>
				status === "False" && total === 2 && message.includes("default/silent"),
		);
		served.put(ruleOf("s0", 2));
		await good.until((one) => one.has(markOf("s0", 2)));
		expect(served.programmed(refOf("s0"))?.status).to.equal("False");
		silent.cut();
		await live("s0", 2, 1);
	});

	it("one that refuses everything new is told to the owner in its own words, and asks for a bounded number of messages", async () => {
		const sick = proxy("sick");
		await live("s0", 1, 1);
		await sick.until(({ isKnown }) => isKnown);
		sick.manner = { refuses: () => "no room left on this machine" };
		const before = sick.responses;
		served.put(...names.map((name) => ruleOf(name, 2)));
		const told = await Promise.all(
			names.map((name) =>
				served.until(
					refOf(name),
					({ status, reason }) => status === "False" && reason === "Rejected",
				),
			),
		);
		for (const { conditions } of told) {
			const programmed = conditions.find(({ type }) => type === "Programmed");
			expect(programmed?.message).to.include("default/sick");
			expect(programmed?.message).to.include("no room left on this machine");
		}
		// Halves of halves, each rule alone at last, and each rule back in its old form.
		expect(sick.responses - before).to.be.lessThan(10 * names.length);
		sick.manner = "accepts";
		served.put(...names.map((name) => ruleOf(name, 3)));
		await Promise.all(names.map((name) => live(name, 3, 1)));
	});

	it("one that refuses everything from its first response on changes nothing for others", async () => {
		const good = proxy("good");
		await live("s0", 1, 1);
		const sick = new WireProxy(served, "default/sick");
		proxies.push(sick);
		sick.manner = { refuses: () => "I refuse everything" };
		const before = good.resources;
		sick.connect();
		await served.until(
			refOf("s0"),
			({ status, message }, { proxies: { total } }) =>
				status === "False" && total === 2 && message.includes("default/sick"),
		);
		expect(good.resources).to.equal(before);
		for (const name of names) expect(good.has(markOf(name, 1))).to.equal(true);
		sick.cut();
		await Promise.all(names.map((name) => live(name, 1, 1)));
	});

	it("one that refuses what proxies of the same software accept does not keep it from them", async () => {
		// The others get a time that is long even on a busy machine.
		await served[Symbol.asyncDispose]();
		await serve(2);
		const [good, sick] = [proxy("good"), proxy("sick")];
		await live("s0", 1, 2);
		sick.manner = { refuses: () => "I refuse everything" };
		for (const generation of [2, 3]) {
			served.put(ruleOf("s0", generation));
			await good.until((one) => one.has(markOf("s0", generation)));
			await served.until(
				refOf("s0"),
				({ status, reason, observedGeneration, message }) =>
					status === "False" &&
					reason === "Rejected" &&
					observedGeneration === generation &&
					message.includes("default/sick"),
			);
		}
		expect(good.has(markOf("s0", 3))).to.equal(true);
		sick.cut();
		await live("s0", 3, 1);
	});

	it("a clock that jumps back an hour, and on by two, changes nothing for those who are there or come back", async () => {
		const proxy1 = proxy("one");
		await live("s0", 1, 1);
		for (const [round, jumpMs] of [-3_600_000, 7_200_000].entries()) {
			const generation = round + 2;
			clock.jump(jumpMs);
			served.put(ruleOf("s0", generation));
			await live("s0", generation, 1);
			// Its new token is made, and looked at, by the clock as it is now.
			proxy1.cut();
			await served.until(refOf("s0"), (_, { proxies: { total } }) => !total);
			const before = proxy1.resources;
			proxy1.connect();
			await live("s0", generation, 1);
			expect(proxy1.resources).to.equal(before);
		}
	});

	it("status follows proxies that come and go, to a watch that stays", async () => {
		const totals: number[] = [];
		const stop = served.statuses.subscribe(() => {
			const total = served.statuses.of(refOf("s0"))?.proxies.total ?? 0;
			if (totals.at(-1) !== total) totals.push(total);
		});
		for (let round = 0; round < 3; round += 1) {
			const one = proxy(`p${round}`);
			await live("s0", 1, 1);
			one.cut();
			await live("s0", 1, 0);
		}
		stop();
		expect(totals.filter((total) => total === 1)).to.have.length(3);
		expect(totals.at(-1)).to.equal(0);
	});
});

describe("1,000 streams that are cut off at once", function () {
	this.timeout(60_000);

	it("are sent nothing again when they come back with what they had, and all count", async () => {
		await using served = await ServedObjects.start(
			new FastClock(1),
			pace,
			names.flatMap(objectsOf),
		);
		const proxies = Array.from(
			{ length: 1000 },
			(_, index) => new WireProxy(served, `default/p${index}`),
		);
		try {
			for (const one of proxies) one.connect();
			await served.untilLive(refOf("s0"), 1, 1000);
			// The answer to the last thing that each asked may still be under way.
			await Promise.all(
				proxies.map((one) => one.until(({ isKnown }) => isKnown)),
			);
			const before = proxies.map(({ resources }) => resources);
			for (const one of proxies) one.cut();
			for (const one of proxies) one.connect();
			await Promise.all(
				proxies.map((one) => one.until(({ isKnown }) => isKnown)),
			);
			await served.untilLive(refOf("s0"), 1, 1000);
			expect(proxies.map(({ resources }) => resources)).to.deep.equal(before);
			served.put(ruleOf("s0", 2));
			await served.untilLive(refOf("s0"), 2, 1000);
			for (const one of proxies)
				expect(one.has(markOf("s0", 2)), one.workload).to.equal(true);
		} finally {
			for (const one of proxies) one.cut();
		}
	});
});
