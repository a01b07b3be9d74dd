import { expect } from "chai";
import type { ObjectRef } from "../api/object-ref.ts";
import type { HttpResponse } from "../lib/handler.ts";
import { WritableSignal } from "../lib/signal.ts";
import { LogControl } from "../observability/log-control.ts";
import type { AdminReaders, ProxyState } from "./readers.ts";
import { snapshotAnswer, whyAnswer } from "./snapshots.ts";

const rule: ObjectRef = {
	kind: "RouteRule",
	namespace: "default",
	name: "reviews",
};
const bytes = new Uint8Array([1, 2, 255]);
const wanted = { version: "v2", bytes, origins: [rule] };

function proxy(id: string): ProxyState {
	return {
		id,
		workload: "default/client",
		kind: "sidecar",
		attachment: "explicit",
		variant: "delta",
		address: "127.0.0.1:4711",
		connectedMs: 0,
		counts: new Map(),
	};
}

function readers(...ids: readonly string[]): AdminReaders {
	return {
		version: "0.0.0",
		readiness: () => ({ ready: true, waitingFor: [] }),
		metrics: () => "",
		logs: new LogControl("info"),
		objects: {
			objects: () => [
				{
					ref: rule,
					inForce: true,
					place: { file: "rules.yaml", line: 4, column: 1 },
					violations: [],
					findings: [],
				},
			],
			fileProblems: () => [],
			buildFailure: () => undefined,
		},
		status: {
			statuses: () => [],
			of: () => undefined,
			subscribe: () => () => undefined,
			events: () => [],
			isComplete: new WritableSignal(true),
		},
		proxies: {
			proxies: () => ids.map(proxy),
			resources: async () => [],
		},
		snapshots: {
			snapshot: (id) =>
				id === "gone"
					? undefined
					: {
							addresses: { inbound: [], tcp: [], gateway: [] },
							resources: [
								{
									type: "virtualhosts",
									name: "same",
									wanted,
									acknowledged: wanted,
									rejected: undefined,
								},
								{
									type: "virtualhosts",
									name: "older",
									wanted,
									acknowledged: { ...wanted, version: "v1" },
									rejected: "no",
								},
								{
									type: "clusters",
									name: "removed",
									wanted: undefined,
									acknowledged: wanted,
									rejected: undefined,
								},
							],
						},
			carrying: async (ref) => [
				{
					id: "one",
					workload: "default/client",
					resources: [{ type: "virtualhosts", name: ref.name }],
				},
			],
		},
	};
}

const read = (answer: HttpResponse) => JSON.parse(String(answer.body));
const ask = (text: string, ...ids: readonly string[]) =>
	snapshotAnswer(new URLSearchParams(text), readers(...ids));

describe("snapshotAnswer", () => {
	it("has the bytes of each version once, and the objects behind them", () => {
		const { objects, resources } = read(ask("proxy=default/client", "one"));
		expect(objects).to.deep.equal([
			{
				...rule,
				...{ file: "rules.yaml", line: 4, column: 1 },
				...{ generation: null, known: true },
			},
		]);
		const origins = ["RouteRule default/reviews"];
		const whole = { origins, bytes: "AQL/" };
		expect(resources).to.deep.equal([
			{
				type: "virtualhosts",
				name: "same",
				wanted: { version: "v2", ...whole },
				acknowledged: { version: "v2", origins },
				rejected: null,
			},
			{
				type: "virtualhosts",
				name: "older",
				wanted: { version: "v2", ...whole },
				acknowledged: { version: "v1", ...whole },
				rejected: "no",
			},
			{
				type: "clusters",
				name: "removed",
				wanted: null,
				acknowledged: { version: "v2", ...whole },
				rejected: null,
			},
		]);
	});

	it("leaves out the bytes when nobody wants them", () => {
		const text = String(ask("proxy=one&bytes=false", "one").body);
		expect(text).to.include('"older"');
		expect(text).not.to.include("AQL/");
	});

	it("says what is wrong with the question", () => {
		expect(ask("", "one").status).to.equal(400);
		expect(ask("proxy=nobody", "one").status).to.equal(404);
		expect(ask("proxy=gone", "gone").status).to.equal(404);
		const two = ask("proxy=default/client", "one", "two");
		expect(two.status).to.equal(409);
		expect(String(two.body)).to.include("one, two");
	});
});

describe("whyAnswer", () => {
	const why = (text: string) =>
		whyAnswer(new URLSearchParams(text), readers("one"));

	it("lists what an object became", async () => {
		const answer = await why("kind=RouteRule&namespace=default&name=reviews");
		expect(read(answer)).to.deep.include({
			proxies: [
				{
					id: "one",
					workload: "default/client",
					resources: [{ type: "virtualhosts", name: "reviews" }],
				},
			],
		});
	});

	it("knows no object that is not there", async () => {
		const answer = await why("kind=RouteRule&namespace=default&name=other");
		expect(answer.status).to.equal(404);
		expect(String(answer.body)).to.include("RouteRule default/other");
	});
});
