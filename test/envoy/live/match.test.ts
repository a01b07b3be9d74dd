import { expect } from "chai";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";
import type { Ask } from "../../testkit/send.ts";

/** A `match` entry, and requests that it takes or leaves. */
interface Case {
	readonly name: string;
	readonly match: object;
	readonly takes: readonly Request[];
	readonly leaves: readonly Request[];
}

/** A path, or a whole URL with more. */
type Request = string | readonly [url: string, ask: Ask];

function header(name: string, value: string): Request {
	return ["/", { headers: { [name]: value } }];
}

const cases: readonly Case[] = [
	{
		name: "an exact path, whatever the query",
		match: { path: "/exact" },
		takes: ["/exact", "/exact?x=/other"],
		leaves: ["/exact/", "/exactly", "/EXACT", "/?/exact"],
	},
	{
		name: "a path's prefix",
		match: { path: { prefix: "/api" } },
		takes: ["/api", "/api/x", "/apis", "/api?q"],
		leaves: ["/ap", "/x/api", "/?p=/api"],
	},
	{
		name: "a path's suffix, not the query's",
		match: { path: { suffix: ".json" } },
		takes: ["/a.json", "/a/b.json?x=1"],
		leaves: ["/a.xml", "/a?x=.json", "/a.json/"],
	},
	{
		name: "a part of a path, not of the query",
		match: { path: { contains: "admin" } },
		takes: ["/admin", "/x/administer"],
		leaves: ["/x", "/x?admin", "/ADMIN"],
	},
	{
		name: "a whole path by regex, whatever the query",
		match: { path: { regex: "/v[0-9]+/.*" } },
		takes: ["/v1/x", "/v22/?q=1"],
		leaves: ["/v/x", "/x/v1/x", "/x?p=/v1/"],
	},
	{
		name: "an exact path in any case",
		match: { path: { exact: "/Fold", ignoreCase: true } },
		takes: ["/fold", "/FOLD?x"],
		leaves: ["/folder"],
	},
	{
		name: "a path's prefix in any case",
		match: { path: { prefix: "/Fold", ignoreCase: true } },
		takes: ["/fold", "/FOLDER"],
		leaves: ["/x/fold"],
	},
	{
		name: "a path's suffix and its special characters in any case",
		match: { path: { suffix: ".(Z)+", ignoreCase: true } },
		takes: ["/a.(z)+", "/A.(Z)+?q"],
		leaves: ["/axz", "/a.(zz)"],
	},
	{
		name: "everything but a path, whatever the query",
		match: { path: { exact: "/private", not: true } },
		takes: ["/", "/privately", "/x?/private"],
		leaves: ["/private", "/private?x=1"],
	},
	{
		name: "everything but a path's prefix",
		match: { path: { prefix: "/private", not: true } },
		takes: ["/", "/x/private"],
		leaves: ["/private", "/private/x", "/privately?x"],
	},
	{
		name: "everything but a path's suffix, the query aside",
		match: { path: { suffix: ".css", not: true } },
		takes: ["/a?x=.css", "/a.css/b"],
		leaves: ["/a.css", "/a.css?v=2"],
	},
	{
		name: "a method",
		match: { method: "POST" },
		takes: [["/", { method: "POST", body: "x" }]],
		leaves: ["/", ["/", { method: "PUT", body: "x" }]],
	},
	{
		name: "methods by regex",
		match: { method: { regex: "GET|PUT" } },
		takes: ["/", ["/", { method: "PUT", body: "x" }]],
		leaves: [["/", { method: "POST", body: "x" }]],
	},
	{
		name: "the scheme http",
		match: { scheme: "http" },
		takes: ["/"],
		leaves: [],
	},
	{
		name: "no scheme but https",
		match: { scheme: "https" },
		takes: [],
		leaves: ["/"],
	},
	{
		name: "an authority with or without its port, in any case",
		match: { authority: "Echo.Default" },
		takes: [
			["http://echo.default/", {}],
			["http://echo.default:80/", {}],
			["http://ECHO.DEFAULT/", {}],
		],
		leaves: ["/", ["http://echo.default.svc/", {}]],
	},
	{
		name: "an authority's suffix",
		match: { authority: { suffix: ".cluster.local" } },
		takes: [
			["http://echo.default.svc.cluster.local/", {}],
			["http://echo.default.svc.cluster.local:80/", {}],
		],
		leaves: ["/"],
	},
	{
		name: "everything but an authority",
		match: { authority: { exact: "echo.default", not: true } },
		takes: ["/"],
		leaves: [
			["http://echo.default/", {}],
			["http://echo.default:80/", {}],
		],
	},
	{
		name: "a header, its name in any case",
		match: { headers: { "End-User": "jason" } },
		takes: [header("end-user", "jason"), header("END-USER", "jason")],
		leaves: ["/", header("end-user", "Jason"), header("end-user", "jasons")],
	},
	{
		name: "a header by regex",
		match: { headers: { cookie: { regex: "^(.*?;)?(user=jason)(;.*)?$" } } },
		takes: [header("cookie", "a=b;user=jason;c=d")],
		leaves: [header("cookie", "user=jasonx"), "/"],
	},
	{
		name: "a header's prefix in any case",
		match: { headers: { "x-name": { prefix: "Ja", ignoreCase: true } } },
		takes: [header("x-name", "JASON"), header("x-name", "ja")],
		leaves: [header("x-name", "a Jason"), "/"],
	},
	{
		name: "a header that is there",
		match: { headers: { "x-debug": { present: true } } },
		takes: [header("x-debug", "0"), header("x-debug", "")],
		leaves: ["/"],
	},
	{
		name: "a header that is not there",
		match: { headers: { "x-debug": { present: false } } },
		takes: ["/"],
		leaves: [header("x-debug", "0")],
	},
	{
		name: "any value of a header but one, and its absence",
		match: { headers: { "x-tier": { exact: "gold", not: true } } },
		takes: ["/", header("x-tier", "silver")],
		leaves: [header("x-tier", "gold")],
	},
	{
		name: "no header that matches a regex",
		match: { headers: { "x-tier": { regex: "g.*", not: true } } },
		takes: ["/", header("x-tier", "silver")],
		leaves: [header("x-tier", "gold")],
	},
	{
		name: "all of several headers",
		match: { headers: { "x-a": "1", "x-b": { contains: "2" } } },
		takes: [["/", { headers: { "x-a": "1", "x-b": "123" } }]],
		leaves: [header("x-a", "1"), header("x-b", "123")],
	},
	{
		name: "a query parameter",
		match: { query: { q: "shoes" } },
		takes: ["/?q=shoes", "/?a=b&q=shoes&c"],
		leaves: ["/", "/?q=shoe", "/?Q=shoes", "/q=shoes"],
	},
	{
		name: "a query parameter by regex",
		match: { query: { page: { regex: "[0-9]+" } } },
		takes: ["/?page=12"],
		leaves: ["/?page=", "/?page=1x"],
	},
	{
		name: "a query parameter by prefix, suffix and part in any case",
		match: {
			query: {
				a: { prefix: "One", ignoreCase: true },
				b: { suffix: "Two", ignoreCase: true },
				c: { contains: "Three", ignoreCase: true },
			},
		},
		takes: ["/?a=oneX&b=Xtwo&c=XTHREEX"],
		leaves: ["/?a=oneX&b=Xtwo", "/?a=Xone&b=two&c=three"],
	},
	{
		name: "a query parameter that is there, with or without a value",
		match: { query: { debug: { present: true } } },
		takes: ["/?debug=1", "/?debug=", "/?debug", "/?a=b&debug"],
		leaves: ["/", "/?debugger=1"],
	},
	{
		name: "a query parameter that is not there",
		match: { query: { debug: { present: false } } },
		takes: ["/", "/?debugger=1", "/debug"],
		leaves: ["/?debug=1", "/?a=b&debug"],
	},
	{
		name: "any value of a query parameter but one, and its absence",
		match: { query: { beta: { exact: "yes", not: true } } },
		takes: ["/", "/?beta=no", "/?beta=yes2", "/?xbeta=yes"],
		leaves: ["/?beta=yes", "/?a=b&beta=yes&c=d"],
	},
	{
		name: "all parts of an entry together",
		match: {
			path: { prefix: "/api" },
			method: "GET",
			headers: { "x-a": "1" },
			query: { q: "1" },
		},
		takes: [["/api?q=1", { headers: { "x-a": "1" } }]],
		leaves: [
			"/api?q=1",
			["/api", { headers: { "x-a": "1" } }],
			["/x?q=1", { headers: { "x-a": "1" } }],
		],
	},
];

describe("match", () => {
	let mesh: LiveMesh;
	let caller: Caller;

	before(async () => {
		mesh = await LiveMesh.start(
			serviceYaml("echo", [
				{ name: "http", port: 80 },
				{ name: "http-alt", port: 8080 },
			]),
		);
		await mesh.application({
			name: "echo",
			service: "echo",
			ports: ["http", "http-alt"],
		});
		caller = await mesh.caller();
	});

	after(() => mesh[Symbol.asyncDispose]());

	function matching(match: readonly object[]): string {
		return ruleYaml("tested", {
			destination: { name: "echo" },
			match,
			respond: { status: 299, body: "taken" },
		});
	}

	async function statuses(
		requests: readonly Request[],
	): Promise<Readonly<Record<string, number>>> {
		const all: Record<string, number> = {};
		for (const request of requests) {
			const [path, ask] = typeof request === "string" ? [request, {}] : request;
			const url = path.startsWith("/") ? `http://echo${path}` : path;
			all[JSON.stringify(request)] = (await caller.ask(url, ask)).status;
		}
		return all;
	}

	function expected(
		takes: readonly Request[],
		leaves: readonly Request[],
	): Readonly<Record<string, number>> {
		return Object.fromEntries([
			...takes.map((request) => [JSON.stringify(request), 299]),
			...leaves.map((request) => [JSON.stringify(request), 200]),
		]);
	}

	for (const { name, match, takes, leaves } of cases)
		it(`takes ${name}`, async () => {
			await mesh.rules(matching([match]));
			expect(await statuses([...takes, ...leaves])).to.deep.equal(
				expected(takes, leaves),
			);
		});

	it("takes what any of its entries matches", async () => {
		await mesh.rules(matching([{ path: "/a" }, { method: "PUT" }]));
		const put = ["/b", { method: "PUT", body: "x" }] as const;
		expect(await statuses(["/a", put, "/b"])).to.deep.equal(
			expected(["/a", put], ["/b"]),
		);
	});

	it("takes one port of a service only", async () => {
		await mesh.rules(matching([{ port: 8080 }]));
		expect(await statuses(["/", ["http://echo:8080/", {}]])).to.deep.equal(
			expected([["http://echo:8080/", {}]], ["/"]),
		);
	});

	it("takes the port that the destination names only", async () => {
		await mesh.rules(
			ruleYaml("tested", {
				destination: { name: "echo", port: "http-alt" },
				respond: { status: 299 },
			}),
		);
		expect(await statuses(["/", ["http://echo:8080/", {}]])).to.deep.equal(
			expected([["http://echo:8080/", {}]], ["/"]),
		);
	});

	it("takes everything when there is none", async () => {
		await mesh.rules(
			ruleYaml("tested", {
				destination: { name: "echo" },
				respond: { status: 299 },
			}),
		);
		const all: Request[] = ["/", "/x?y", ["/", { method: "DELETE" }]];
		expect(await statuses(all)).to.deep.equal(expected(all, []));
	});
});
