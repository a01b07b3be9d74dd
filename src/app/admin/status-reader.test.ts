import { expect } from "chai";
import { noDistribution } from "../../../test/testkit/memory-distribution.ts";
import { routeRule } from "../../../test/testkit/objects.ts";
import { refOf } from "../../api/metadata.ts";
import type { ObjectRef } from "../../api/object-ref.ts";
import type { ApiObject } from "../../api/objects.ts";
import type { ObjectStatus } from "../../api/status.ts";
import { WritableSignal } from "../../lib/signal.ts";
import { MetricsRegistry } from "../../observability/metrics.ts";
import { decideStatus } from "../../reconcilers/status.ts";
import {
	MemoryEventWriter,
	MemoryStatusWriter,
} from "../../store/memory-writer.ts";
import { ObjectStore } from "../../store/object-store.ts";
import { addStatusMetrics } from "../metrics/status-metrics.ts";
import { statusReader } from "./status-reader.ts";

function statusOf(
	ref: ObjectRef,
	generation: number,
	isBuilt = true,
): ObjectStatus {
	return decideStatus(
		{
			ref,
			generation,
			violations: [],
			goodGeneration: generation,
			isBuilt,
			buildFailure: undefined,
			findings: [],
			distribution: noDistribution,
			heldBack: undefined,
			previous: undefined,
		},
		5000,
	);
}

function world(...objects: readonly ApiObject[]) {
	const store = new ObjectStore(["memory"]);
	store.apply(
		"memory",
		objects.map((object) => ({ op: "put", object })),
	);
	const statuses = new MemoryStatusWriter();
	const reader = statusReader({
		objects: store.objects,
		invalid: store.invalid,
		statuses,
		events: new MemoryEventWriter(),
		isComplete: new WritableSignal(true),
		placeOf: ({ name }) => ({ file: `${name}.yaml`, line: 1, column: 1 }),
	});
	return { store, statuses, reader };
}

describe("statusReader", () => {
	const here = routeRule(
		"here",
		{ destination: { name: "reviews" } },
		{ generation: 3, createdMs: 1000 },
	);
	const there = routeRule("there", {
		destination: { name: "a", namespace: "b" },
	});
	const outside = routeRule("outside", {
		destination: { host: "example.com" },
	});

	it("joins each status with its object, in order", async () => {
		const { statuses, reader } = world(here, there, outside);
		await statuses.write(
			[there, here, outside].map((one) => statusOf(refOf(one), 3)),
		);
		expect(
			reader
				.statuses()
				.map(({ ref, destination, createdMs, place }) => [
					ref.name,
					destination,
					createdMs,
					place?.file,
				]),
		).to.deep.equal([
			["here", "reviews", 1000, "here.yaml"],
			["outside", "example.com", 5000, "outside.yaml"],
			["there", "b/a", 5000, "there.yaml"],
		]);
	});

	it("knows a newer generation before the status does, a refused one, too", async () => {
		const { store, statuses, reader } = world(here);
		const ref = refOf(here);
		await statuses.write([statusOf(ref, 2)]);
		expect(reader.of(ref)?.generation).to.equal(3);
		store.apply("memory", [
			{ op: "put-invalid", invalid: { ref, generation: 4, violations: [] } },
		]);
		expect(reader.of(ref)?.generation).to.equal(4);
		expect(reader.of({ ...ref, name: "none" })).to.equal(undefined);
	});
});

describe("addStatusMetrics", () => {
	it("counts objects by reason, and keeps a reason that nobody has any more as 0", async () => {
		const registry = new MetricsRegistry();
		const statuses = new MemoryStatusWriter();
		addStatusMetrics(registry, statuses);
		const ref = { kind: "RouteRule", namespace: "default", name: "a" };
		await statuses.write([
			statusOf(ref, 1, false),
			statusOf({ ...ref, name: "b" }, 1),
		]);
		const pending =
			'lateen_objects_by_reason{kind="RouteRule",ready="Unknown",reason="Pending"}';
		expect(registry.print()).to.include(`${pending} 1`);
		await statuses.write([statusOf(ref, 1)]);
		expect(registry.print()).to.include(`${pending} 0`);
		expect(registry.print()).to.include('reason="Ready"} 2');
	});
});
