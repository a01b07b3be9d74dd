import { expect } from "chai";
import {
	objects,
	type RouteRuleFields,
	routeRule,
	service,
} from "../../test/testkit/objects.ts";
import { buildMesh } from "./build.ts";

function ruleOf(fields: RouteRuleFields) {
	return buildMesh(
		objects(service("reviews"), routeRule("reviews", fields)),
	).mesh.routes.get("reviews.default.svc.cluster.local:9080")?.rules[0];
}

const forward = {
	kind: "forward",
	targets: [
		{
			cluster: {
				hostname: "reviews.default.svc.cluster.local",
				port: 9080,
				subset: { name: "", labels: {}, hashed: false },
			},
			weight: 1,
		},
	],
	mirrors: [],
	affinity: [],
	upgrades: [],
} as const;

describe("the action of a RouteRule", () => {
	const cases: readonly {
		readonly name: string;
		readonly fields: RouteRuleFields;
		readonly want: unknown;
	}[] = [
		{ name: "is to forward", fields: {}, want: forward },
		{
			name: "has timeouts in milliseconds",
			fields: { timeout: "1.5s", idleTimeout: "0s" },
			want: { ...forward, timeoutMs: 1500, idleTimeoutMs: 0 },
		},
		{
			name: "has retries",
			fields: {
				retries: {
					attempts: 3,
					perTryTimeout: "250ms",
					on: ["5xx"],
					backoff: { base: "1s", max: "1m" },
					retryOtherHosts: false,
				},
			},
			want: {
				...forward,
				retries: {
					attempts: 3,
					perTryTimeoutMs: 250,
					on: ["5xx"],
					backoff: { baseMs: 1000, maxMs: 60_000 },
					retryOtherHosts: false,
				},
			},
		},
		{
			name: "rewrites the path and the authority",
			fields: { rewrite: { prefix: "/new", authority: "new.example.com" } },
			want: {
				...forward,
				rewrite: {
					path: { kind: "prefix", prefix: "/new" },
					authority: "new.example.com",
				},
			},
		},
		{
			name: "rewrites by a regex",
			fields: { rewrite: { regex: { pattern: "a", replacement: "b" } } },
			want: {
				...forward,
				rewrite: {
					path: { kind: "regex", pattern: "a", replacement: "b" },
				},
			},
		},
		{
			name: "upgrades",
			fields: { upgrade: ["websocket"] },
			want: { ...forward, upgrades: ["websocket"] },
		},
		{
			name: "redirects",
			fields: { redirect: { code: 308, scheme: "https", path: "/new" } },
			want: {
				kind: "redirect",
				code: 308,
				scheme: "https",
				path: { kind: "full", path: "/new" },
			},
		},
		{
			name: "responds, without a body too",
			fields: { respond: { status: 403 } },
			want: { kind: "respond", status: 403, body: "" },
		},
	];
	for (const { name, fields, want } of cases) {
		it(name, () => expect(ruleOf(fields)?.action).to.deep.equal(want));
	}

	const affinities: readonly {
		readonly name: string;
		readonly affinity: NonNullable<RouteRuleFields["affinity"]>;
		readonly want: unknown;
	}[] = [
		{
			name: "keeps by a header",
			affinity: { header: "X-User" },
			want: { kind: "header", name: "x-user" },
		},
		{
			name: "keeps by a cookie",
			affinity: { cookie: { name: "sid", ttl: "1h", path: "/" } },
			want: { kind: "cookie", name: "sid", ttlMs: 3_600_000, path: "/" },
		},
		{
			name: "keeps by a query parameter",
			affinity: { query: "user" },
			want: { kind: "query", name: "user" },
		},
		{
			name: "keeps by the caller's address",
			affinity: { sourceIP: true },
			want: { kind: "sourceIP" },
		},
	];
	for (const { name, affinity, want } of affinities) {
		it(name, () => {
			const action = ruleOf({ affinity })?.action;
			expect(action?.kind === "forward" && action.affinity).to.deep.equal([
				want,
			]);
		});
	}
});

describe("the rest of a RouteRule", () => {
	it("has faults, with a status of HTTP or gRPC", () => {
		const rule = ruleOf({
			fault: { abort: { grpcStatus: 14, percent: 10 } },
			match: [{ fault: { delay: { duration: "2s" } } }],
		});
		expect(rule?.fault).to.deep.equal({
			abort: { percent: 10, status: { kind: "grpc", code: 14 } },
		});
		expect(rule?.branches[0]?.fault).to.deep.equal({
			delay: { percent: 100, durationMs: 2000 },
		});
	});

	it("has cross-origin settings", () => {
		expect(
			ruleOf({ cors: { allowOrigins: ["https://a"], maxAge: "24h" } })?.cors,
		).to.deep.equal({
			allowOrigins: [
				{ kind: "exact", value: "https://a", not: false, ignoreCase: false },
			],
			allowMethods: [],
			allowHeaders: [],
			exposeHeaders: [],
			maxAgeMs: 86_400_000,
			allowCredentials: false,
		});
	});

	it("has changes of headers, of the rule and of a share", () => {
		const rule = ruleOf({
			headers: { request: { set: { a: "1" } } },
			route: [{ headers: { response: { remove: ["b"] } } }],
		});
		const none = { set: {}, add: {}, remove: [] };
		expect(rule?.headers).to.deep.equal({
			request: { set: { a: "1" }, add: {}, remove: [] },
			response: none,
		});
		expect(
			rule?.action.kind === "forward" && rule.action.targets[0]?.headers,
		).to.deep.equal({
			request: none,
			response: { set: {}, add: {}, remove: ["b"] },
		});
	});
});

describe("a match", () => {
	const strings: readonly {
		readonly name: string;
		readonly match: Exclude<
			NonNullable<RouteRuleFields["match"]>[number]["path"],
			undefined
		>;
		readonly want: unknown;
	}[] = [
		{
			name: "is exact when it is a bare text",
			match: "/a",
			want: { kind: "exact", value: "/a", not: false, ignoreCase: false },
		},
		{
			name: "keeps not and ignoreCase",
			match: { prefix: "/a", not: true, ignoreCase: true },
			want: { kind: "prefix", value: "/a", not: true, ignoreCase: true },
		},
		{
			name: "asks for absence",
			match: { present: false },
			want: { kind: "present", value: "", not: true, ignoreCase: false },
		},
		{
			name: "asks for presence when absence is turned round",
			match: { present: false, not: true },
			want: { kind: "present", value: "", not: false, ignoreCase: false },
		},
	];
	for (const { name, match, want } of strings) {
		it(name, () =>
			expect(
				ruleOf({ match: [{ path: match }] })?.branches[0]?.http?.path,
			).to.deep.equal(want),
		);
	}

	it("has header names in lower case and in order", () => {
		const [branch] =
			ruleOf({ match: [{ headers: { "X-B": "1", "X-A": "2" } }] })?.branches ??
			[];
		expect(branch?.http?.headers.map(([name]) => name)).to.deep.equal([
			"x-a",
			"x-b",
		]);
	});

	it("that asks only about the caller asks nothing of requests", () => {
		const [branch] =
			ruleOf({ match: [{ source: { labels: { version: "v1" } } }] })
				?.branches ?? [];
		expect(branch).to.deep.equal({
			index: 0,
			source: { labels: { version: "v1" } },
		});
	});
});
