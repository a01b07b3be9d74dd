/*
 * Proxies of two versions on real streams, of which the older one refuses what
 * the newer one accepts, and a proxy that is ill.
 */
import { expect } from "chai";
import type { ObjectRef } from "../../src/api/object-ref.ts";
import type { ApiObject } from "../../src/api/objects.ts";
import type { DeltaDiscoveryResponse } from "../../src/gen/envoy/envoy/service/discovery/v3/discovery_pb.js";
import { FastClock } from "../testkit/fast-clock.ts";
import { endpointSlice, routeRule, service } from "../testkit/objects.ts";
import { ServedObjects } from "../testkit/served-objects.ts";
import { WireProxy } from "../testkit/wire-proxy.ts";

const words = "Unknown field only-newer";

function refOf(name: string): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name };
}

/** A rule for a path of one service; what it says is in the bytes that proxies get. */
function ruleOf(name: string, says: string, generation: number): ApiObject {
	return routeRule(
		name,
		{
			destination: { name: "shop" },
			match: [{ path: { exact: `/${name}` } }],
			headers: { response: { set: { "x-says": `${name}-says-${says}` } } },
		},
		{ generation },
	);
}

/** Refuses what is only for newer versions. */
function refusesNewer(response: DeltaDiscoveryResponse): string | undefined {
	const isNewer = response.resources.some(({ resource }) =>
		Buffer.from(resource?.value ?? []).includes("only-newer"),
	);
	return isNewer ? words : undefined;
}

describe("an object that one software accepts and another refuses", function () {
	this.timeout(30_000);
	let served: ServedObjects;
	let proxies: WireProxy[];

	beforeEach(async () => {
		const soon = { quietMs: 5, maxMs: 20 };
		served = await ServedObjects.start(
			new FastClock(20),
			{ build: soon, status: soon, progressMs: 100 },
			[
				service("shop"),
				endpointSlice("shop", { endpoints: ["10.0.0.1"] }),
				ruleOf("a", "first", 1),
				ruleOf("b", "first", 1),
			],
		);
		proxies = [];
	});

	afterEach(async () => {
		for (const proxy of proxies) proxy.cut();
		await served[Symbol.asyncDispose]();
	});

	function connect(name: string, version: string): WireProxy {
		const proxy = new WireProxy(served, `default/${name}`, version);
		if (version === "1.30.0") proxy.manner = { refuses: refusesNewer };
		proxies.push(proxy);
		proxy.connect();
		return proxy;
	}

	function untilRejected(total: number, rejected: number) {
		return served.until(
			refOf("a"),
			({ reason }, status) =>
				reason === "Rejected" &&
				status.proxies.total === total &&
				status.proxies.rejected === rejected &&
				status.proxies.acknowledged === total - rejected,
		);
	}

	it("is reported for the older ones only, which get everything else that changes in the same virtual host", async () => {
		const older = connect("older", "1.30.0");
		const newer = connect("newer", "1.40.0");
		await served.untilLive(refOf("a"), 1, 2);

		served.put(ruleOf("a", "only-newer", 2));
		await untilRejected(2, 1);
		const programmed = served.programmed(refOf("a"));
		expect(programmed?.status).to.equal("False");
		expect(programmed?.observedGeneration).to.equal(2);
		expect(programmed?.message).to.equal(
			`1 of 2 proxies refused generation 2. default/older says: ${words}. What these proxies had before stays in force there.`,
		);

		served.put(ruleOf("b", "second", 2), ruleOf("c", "first", 1));
		await served.untilLive(refOf("b"), 2, 2);
		await served.untilLive(refOf("c"), 1, 2);
		for (const proxy of proxies) {
			expect(proxy.has("b-says-second")).to.equal(true);
			expect(proxy.has("c-says-first")).to.equal(true);
			expect(proxy.has("b-says-first")).to.equal(false);
		}
		expect(older.has("a-says-first")).to.equal(true);
		expect(older.has("only-newer")).to.equal(false);
		expect(newer.has("a-says-only-newer")).to.equal(true);
		expect(newer.has("a-says-first")).to.equal(false);
		await untilRejected(2, 1);

		served.put(ruleOf("a", "mended", 3));
		await served.untilLive(refOf("a"), 3, 2);
		expect(older.has("a-says-mended")).to.equal(true);
	});

	it("is kept from older proxies that come later, and does not stay behind when the last of them is gone", async () => {
		const older = connect("older", "1.30.0");
		connect("newer", "1.40.0");
		await served.untilLive(refOf("a"), 1, 2);
		served.put(ruleOf("a", "only-newer", 2));
		await untilRejected(2, 1);

		const late = connect("late", "1.30.0");
		await untilRejected(3, 2);
		served.put(ruleOf("b", "second", 2));
		await served.untilLive(refOf("b"), 2, 3);
		expect(late.has("a-says-first")).to.equal(true);
		expect(late.has("b-says-second")).to.equal(true);

		for (const proxy of [older, late]) proxy.cut();
		await served.untilLive(refOf("a"), 2, 1);
	});

	it("is offered to the older ones again when they are updated", async () => {
		const older = connect("older", "1.30.0");
		connect("newer", "1.40.0");
		await served.untilLive(refOf("a"), 1, 2);
		served.put(ruleOf("a", "only-newer", 2));
		await untilRejected(2, 1);
		older.cut();
		const updated = connect("older", "1.40.0");
		await served.untilLive(refOf("a"), 2, 2);
		expect(updated.has("a-says-only-newer")).to.equal(true);
	});
});

describe("a proxy that is ill and comes first", function () {
	this.timeout(30_000);

	it("holds back an object only until another of the same software accepts it", async () => {
		const soon = { quietMs: 5, maxMs: 20 };
		await using served = await ServedObjects.start(
			new FastClock(20),
			{ build: soon, status: soon, progressMs: 100 },
			[
				service("shop"),
				endpointSlice("shop", { endpoints: ["10.0.0.1"] }),
				ruleOf("a", "only-newer", 1),
			],
		);
		const ill = new WireProxy(served, "default/ill", "1.40.0");
		ill.manner = { refuses: refusesNewer };
		ill.connect();
		await served.until(
			refOf("a"),
			({ reason, message }) =>
				reason === "Rejected" && message.includes("nothing of it is in force"),
		);
		const well = new WireProxy(served, "default/well", "1.40.0");
		well.connect();
		await well.until((proxy) => proxy.has("a-says-only-newer"));
		const { proxies } = await served.until(
			refOf("a"),
			(_, status) => status.proxies.acknowledged === 1,
		);
		expect(proxies.total).to.equal(2);
		ill.cut();
		await served.untilLive(refOf("a"), 1, 1);
		well.cut();
	});
});
