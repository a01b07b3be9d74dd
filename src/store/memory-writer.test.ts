import { expect } from "chai";
import type { ObjectRef } from "../api/object-ref.ts";
import type { ObjectStatus } from "../api/status.ts";
import { MemoryEventWriter, MemoryStatusWriter } from "./memory-writer.ts";

function ref(name: string): ObjectRef {
	return { kind: "RouteRule", namespace: "default", name };
}

function status(name: string, acknowledged = 0): ObjectStatus {
	return {
		ref: ref(name),
		observedGeneration: 1,
		conditions: [
			{
				type: "Accepted",
				status: "True",
				reason: "Accepted",
				message: "",
				observedGeneration: 1,
				lastTransitionMs: 1000 + acknowledged,
			},
		],
		proxies: { total: 1, acknowledged, rejected: 0 },
	};
}

describe("MemoryStatusWriter", () => {
	it("keeps the newest status of each object and when it had its first", async () => {
		const writer = new MemoryStatusWriter();
		await writer.write([status("a"), status("b")]);
		await writer.write([status("a", 1)]);
		expect(writer.of(ref("a"))?.proxies.acknowledged).to.equal(1);
		expect(writer.firstMs(ref("a"))).to.equal(1000);
		expect(writer.all.size).to.equal(2);
	});

	it("tells which objects changed or are gone, until it is told to stop", async () => {
		const writer = new MemoryStatusWriter();
		const heard: string[][] = [];
		const stop = writer.subscribe((refs) =>
			heard.push(refs.map(({ name }) => name)),
		);
		await writer.write([status("a"), status("b")]);
		writer.forget([ref("b"), ref("unknown")]);
		writer.forget([ref("b")]);
		stop();
		await writer.write([status("a", 1)]);
		expect(heard).to.deep.equal([["a", "b"], ["b"]]);
		expect(writer.of(ref("b"))).to.equal(undefined);
	});
});

describe("MemoryEventWriter", () => {
	const event = (name: string, message = "no") =>
		({
			about: ref(name),
			type: "Warning",
			reason: "Rejected",
			message,
		}) as const;

	it("counts the same event and moves it to the end", () => {
		const writer = new MemoryEventWriter();
		writer.note(event("a"), 1);
		writer.note(event("b"), 2);
		writer.note(event("a"), 3);
		expect(
			writer.all.map(({ about, count, firstMs, lastMs }) => [
				about.name,
				count,
				firstMs,
				lastMs,
			]),
		).to.deep.equal([
			["b", 1, 2, 2],
			["a", 2, 1, 3],
		]);
	});

	it("never says that an event was last seen before it was first seen, whatever the clock does", () => {
		const writer = new MemoryEventWriter();
		writer.note(event("a"), 7_200_000);
		writer.note(event("a"), 3_600_000);
		const [noted] = writer.all;
		expect(noted).to.include({
			count: 2,
			firstMs: 7_200_000,
			lastMs: 7_200_000,
		});
	});

	it("forgets what was noted longest ago when there is too much", () => {
		const writer = new MemoryEventWriter(2);
		for (const name of ["a", "b", "a", "c"]) writer.note(event(name), 1);
		expect(writer.all.map(({ about }) => about.name)).to.deep.equal(["a", "c"]);
	});
});
