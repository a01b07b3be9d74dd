import { expect } from "chai";
import type { HttpHandler, HttpRequest } from "../lib/handler.ts";
import { WritableSignal } from "../lib/signal.ts";
import { LogControl } from "../observability/log-control.ts";
import { adminApi, startingApi } from "./http.ts";
import type { AdminReaders, ObjectState, ProxyState } from "./readers.ts";

const broken: ObjectState = {
	ref: { kind: "RouteRule", namespace: "default", name: "reviews" },
	inForce: true,
	place: undefined,
	violations: [
		{
			path: "spec.route[0].weight",
			message: "Must be at least 0.",
			position: { file: "rules.yaml", line: 9, column: 13 },
		},
	],
	findings: [],
};

const dangling: ObjectState = {
	ref: { kind: "RouteRule", namespace: "default", name: "nowhere" },
	inForce: true,
	place: { file: "rules.yaml", line: 20, column: 1 },
	violations: [],
	findings: [
		{
			about: { kind: "RouteRule", namespace: "default", name: "nowhere" },
			condition: "ResolvedRefs",
			reason: "DestinationNotFound",
			path: "spec.destination",
			message: "There is no Service default/nowhere.",
		},
	],
};

const proxy: ProxyState = {
	id: "sidecar~default/reviews-v1~1",
	workload: "default/reviews-v1",
	kind: "sidecar",
	attachment: "explicit",
	variant: "delta",
	address: "127.0.0.1:4711",
	connectedMs: 0,
	counts: new Map([["clusters", { sent: 2, acknowledged: 1, rejected: 0 }]]),
};

function readers(proxies: readonly ProxyState[] = [proxy]): AdminReaders {
	return {
		version: "1.2.3",
		readiness: () => ({
			ready: false,
			waitingFor: ["the first mesh is built"],
		}),
		metrics: () => "lateen_streams 0\n",
		objects: {
			objects: () => [broken, dangling],
			fileProblems: () => [
				{
					severity: "warning",
					file: "a.yaml",
					line: 1,
					column: 1,
					message: "Kind Deployment is not read.",
				},
			],
			buildFailure: () => undefined,
		},
		status: {
			statuses: () => [],
			of: () => undefined,
			subscribe: () => () => undefined,
			events: () => [],
			isComplete: new WritableSignal(true),
		},
		logs: new LogControl("info"),
		snapshots: { snapshot: () => undefined, carrying: async () => [] },
		proxies: {
			proxies: () => proxies,
			resources: async (id, type) =>
				id === proxy.id && type === "clusters"
					? [
							{
								name: "reviews",
								sent: "v2",
								acknowledged: "v1",
								rejected: undefined,
								config: { name: "reviews" },
							},
						]
					: [],
		},
	};
}

async function call(
	target: string,
	given: {
		readonly method?: string;
		readonly body?: string;
		readonly from?: AdminReaders;
		readonly api?: HttpHandler;
	} = {},
): Promise<{
	readonly status: number;
	readonly text: string;
	readonly body: unknown;
}> {
	const url = new URL(target, "http://localhost");
	const request: HttpRequest = {
		method: given.method ?? "GET",
		path: decodeURIComponent(url.pathname),
		query: url.searchParams,
		headers: new Map(),
		body: Buffer.from(given.body ?? ""),
		peer: { address: "test", bearerToken: undefined },
	};
	const api = given.api ?? adminApi(given.from ?? readers());
	const response = await api(request, new AbortController().signal);
	const text = String(response.body);
	const isJson =
		response.headers?.["content-type"]?.startsWith("application/json");
	return {
		status: response.status,
		text,
		body: isJson === true ? JSON.parse(text) : undefined,
	};
}

describe("adminApi", () => {
	describe("levels of the log", () => {
		const path = "/v1/log-levels";

		it("are shown for every part, also while the server starts", async () => {
			const from = readers();
			for (const api of [adminApi(from), startingApi(from)]) {
				const { status, body } = await call(path, { api });
				expect(status).to.equal(200);
				expect(body).to.deep.include({ default: "info" });
				expect((body as { parts: object }).parts).to.include({
					xds: null,
					mesh: null,
				});
			}
		});

		it("are changed by PUT, one part or all, and given back", async () => {
			const from = readers();
			const put = (body: unknown) =>
				call(path, { from, method: "PUT", body: JSON.stringify(body) });
			expect(
				(await put({ parts: { xds: "debug" } })).body,
			).to.have.nested.property("parts.xds", "debug");
			expect([...from.logs.own]).to.deep.equal([["xds", "debug"]]);
			await put({ default: "warn", parts: { xds: null, mesh: "error" } });
			expect(from.logs.level).to.equal("warn");
			expect([...from.logs.own]).to.deep.equal([["mesh", "error"]]);
		});

		for (const { name, body, says } of [
			{ name: "what is not JSON", body: "debug", says: "must be JSON" },
			{ name: "a list", body: "[]", says: "must be an object" },
			{ name: "unknown fields", body: '{"xds":"debug"}', says: '"xds"' },
			{
				name: "unknown parts",
				body: '{"default":"debug","parts":{"xsd":"debug"}}',
				says: '"xsd". There are: admin',
			},
			{
				name: "unknown levels",
				body: '{"parts":{"mesh":"debug","xds":"loud"}}',
				says: '"loud" is no level',
			},
		])
			it(`are not changed by ${name}`, async () => {
				const from = readers();
				const answer = await call(path, { from, method: "PUT", body });
				expect(answer.status).to.equal(400);
				expect(answer.text).to.include(JSON.stringify(says).slice(1, -1));
				expect(from.logs.level).to.equal("info");
				expect(from.logs.own.size).to.equal(0);
			});

		it("know no other methods", async () => {
			const answer = await call(path, { method: "DELETE" });
			expect(answer.status).to.equal(405);
		});
	});

	it("is healthy while it answers, and unready with what it waits for", async () => {
		expect((await call("/healthz")).status).to.equal(200);
		const ready = await call("/readyz");
		expect(ready.status).to.equal(503);
		expect(ready.body).to.deep.equal({
			ready: false,
			waitingFor: ["the first mesh is built"],
		});
	});

	it("shows metrics as text", async () => {
		expect((await call("/metrics")).text).to.equal("lateen_streams 0\n");
	});

	it("lists objects with their state, and only those asked for", async () => {
		const all = await call("/v1/objects");
		expect(all.body).to.have.deep.property("kinds", { RouteRule: 2 });
		expect(all.body).to.have.nested.property("objects[0].name", "nowhere");
		expect(all.body).to.have.nested.property("objects[1].accepted", false);
		expect(all.body).to.have.nested.property(
			"objects[1].violations[0].line",
			9,
		);
		const none = await call("/v1/objects?kind=Service&troubled=true");
		expect(none.body).to.have.deep.property("objects", []);
	});

	it("lists problems from everywhere, errors first", async () => {
		const { body } = await call("/v1/problems");
		expect(body).to.have.nested.property("problems[0].reason", "Invalid");
		expect(body).to.have.nested.property(
			"problems[0].object",
			"RouteRule default/reviews",
		);
		expect(body).to.have.nested.property(
			"problems[2].reason",
			"DestinationNotFound",
		);
		expect(body).to.have.nested.property("problems[1].file", "a.yaml");
		expect(body).to.have.nested.property("problems[2].line", 20);
	});

	it("shows a proxy by workload or by id, with what it has not acknowledged", async () => {
		for (const name of [
			"default/reviews-v1",
			"reviews-v1",
			encodeURIComponent(proxy.id),
		]) {
			const { status, body } = await call(`/v1/proxies/${name}`);
			expect(status).to.equal(200);
			expect(body).to.have.property("upToDate", false);
		}
	});

	it("shows the resources of one type with both versions and the Envoy JSON", async () => {
		const { body } = await call("/v1/proxies/default%2Freviews-v1/clusters");
		expect(body).to.have.property("type", "clusters");
		expect(body).to.have.deep.property("resources", [
			{
				name: "reviews",
				sent: "v2",
				acknowledged: "v1",
				rejected: null,
				config: { name: "reviews" },
			},
		]);
	});

	it("asks for the id when several proxies run for one workload", async () => {
		const { status, body } = await call("/v1/proxies/default/reviews-v1", {
			from: readers([proxy, { ...proxy, id: "second" }]),
		});
		expect(status).to.equal(409);
		expect(JSON.stringify(body)).to.include("second");
	});

	it("says what there is when something is not found", async () => {
		expect((await call("/v1/proxies/default/none")).status).to.equal(404);
		expect((await call("/v2")).text).to.include("GET / lists");
		expect((await call("/")).text).to.include("/v1/problems");
	});

	it("refuses to be written to", async () => {
		expect((await call("/v1/objects", { method: "POST" })).status).to.equal(
			405,
		);
	});
});

describe("startingApi", () => {
	const api = startingApi(readers());

	it("shows how the process is", async () => {
		for (const path of ["/healthz", "/readyz", "/metrics", "/v1/problems"]) {
			const answer = await call(path, { api });
			expect(answer).to.deep.equal(await call(path));
		}
	});

	it("refuses what is not known yet, and says what is waited for", async () => {
		for (const path of ["/v1/objects", "/v1/status/RouteRule", "/v1/proxies"]) {
			const answer = await call(path, { api });
			expect(answer.status).to.equal(503);
			expect(answer.text).to.include("until the first mesh is built.");
		}
	});
});
