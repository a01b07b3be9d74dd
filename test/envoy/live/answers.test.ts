import { expect } from "chai";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";

const destination = { name: "echo" };

describe("a rule that answers or changes requests", () => {
	let mesh: LiveMesh;
	let caller: Caller;

	before(async () => {
		mesh = await LiveMesh.start(serviceYaml("echo"));
		await mesh.application({
			name: "echo",
			service: "echo",
			behaviour: (_request, response) => {
				response.setHeader("x-secret", "application");
				response.setHeader("x-out", "application");
				return false;
			},
		});
		caller = await mesh.caller();
	});

	after(() => mesh[Symbol.asyncDispose]());

	function rule(spec: object): Promise<void> {
		return mesh.rules(ruleYaml("tested", { destination, ...spec }));
	}

	describe("redirect", () => {
		for (const { redirect, match, url, code, location } of [
			{
				redirect: {
					code: 308,
					scheme: "https",
					authority: "new.example.com",
					port: 8443,
					prefix: "/new",
				},
				match: [{ path: { prefix: "/old" } }],
				url: "/old/page?q=1",
				code: 308,
				location: "https://new.example.com:8443/new/page?q=1",
			},
			{
				redirect: { code: 302, path: "/here" },
				match: [{ path: "/gone" }],
				url: "/gone?q=1",
				code: 302,
				location: "http://echo/here?q=1",
			},
			{
				redirect: { code: 301, scheme: "https" },
				match: undefined,
				url: "/x",
				code: 301,
				location: "https://echo/x",
			},
			{
				redirect: { code: 303, authority: "other" },
				match: undefined,
				url: "/x?y",
				code: 303,
				location: "http://other/x?y",
			},
			{
				redirect: { code: 307, port: 8080 },
				match: undefined,
				url: "/x",
				code: 307,
				location: "http://echo:8080/x",
			},
		])
			it(`answers ${url} with ${code} and ${location}`, async () => {
				await rule({ redirect, ...(match && { match }) });
				const { status, headers } = await caller.ask(`http://echo${url}`);
				expect({ status, location: headers["location"] }).to.deep.equal({
					status: code,
					location,
				});
			});
	});

	describe("respond", () => {
		it("answers with its status and body, whatever stands in it", async () => {
			const body = 'back at noon, 100%: "ü" {}\n';
			await rule({ respond: { status: 503, body } });
			const answer = await caller.ask("http://echo/");
			expect(answer).to.include({ status: 503, body });
		});

		it("answers without a body, too", async () => {
			await rule({ respond: { status: 204 } });
			const answer = await caller.ask("http://echo/");
			expect(answer).to.include({ status: 204, body: "" });
		});
	});

	describe("rewrite", () => {
		const prefix = (matched: string, to: string, ignoreCase = false) => ({
			match: [{ path: { prefix: matched, ...(ignoreCase && { ignoreCase }) } }],
			rewrite: { prefix: to },
		});
		for (const { name, spec, requests } of [
			{
				name: "replaces a prefix",
				spec: prefix("/api", "/v2"),
				requests: {
					"/api": "/v2",
					"/api/x?q=/api": "/v2/x?q=/api",
					"/apix": "/v2x",
				},
			},
			{
				name: "takes a prefix away with one slash left",
				spec: prefix("/api", "/"),
				requests: { "/api": "/", "/api/x": "/x", "/api?q": "/?q" },
			},
			{
				name: "takes a prefix that ends with a slash away",
				spec: prefix("/api/", "/"),
				requests: { "/api/": "/", "/api/x": "/x" },
			},
			{
				name: "keeps parts apart when only the old prefix ends with a slash",
				spec: prefix("/v1/", "/v2"),
				requests: { "/v1/": "/v2/", "/v1/x?q": "/v2/x?q" },
			},
			{
				name: "puts a prefix before everything",
				spec: prefix("/", "/base"),
				requests: { "/": "/base/", "/x": "/base/x" },
			},
			{
				name: "replaces a prefix written in another case",
				spec: prefix("/Api", "/", true),
				requests: { "/aPI/x": "/x" },
			},
			{
				name: "puts a prefix before everything without a match",
				spec: { rewrite: { prefix: "/base" } },
				requests: { "/x": "/base/x" },
			},
			{
				name: "replaces the whole path and keeps the query",
				spec: { rewrite: { path: "/health\\1z" } },
				requests: {
					"/status": "/health\\1z",
					"/a/b?q=1": "/health\\1z?q=1",
				},
			},
			{
				name: "replaces by a regex and its groups",
				spec: {
					rewrite: {
						regex: { pattern: "^/items/([0-9]+)$", replacement: "/i?id=\\1" },
					},
				},
				requests: { "/items/17": "/i?id=17", "/items/x": "/items/x" },
			},
			{
				name: "replaces every part that a regex matches",
				spec: { rewrite: { regex: { pattern: "/a", replacement: "/b" } } },
				requests: { "/a/c/a?x=/a": "/b/c/b?x=/a" },
			},
		] satisfies readonly {
			name: string;
			spec: object;
			requests: Record<string, string>;
		}[])
			it(name, async () => {
				await rule(spec);
				const seen: Record<string, string | undefined> = {};
				for (const path of Object.keys(requests))
					seen[path] = (await caller.ask(`http://echo${path}`)).seen?.url;
				expect(seen).to.deep.equal(requests);
			});

		it("replaces the authority", async () => {
			await rule({ rewrite: { authority: "internal.example.com" } });
			const { seen } = await caller.ask("http://echo/x");
			expect(seen).to.have.nested.property(
				"headers.host",
				"internal.example.com",
			);
			expect(seen).to.have.property("url", "/x");
		});
	});

	describe("headers", () => {
		it("sets, adds and removes on the way there", async () => {
			await rule({
				headers: {
					request: {
						set: { "x-set": "100% of %START_TIME%", "X-Empty": "" },
						add: { "x-add": "more" },
						remove: ["X-Gone"],
					},
				},
			});
			const { seen } = await caller.ask("http://echo/", {
				headers: { "x-set": "old", "x-add": "some", "x-gone": "here" },
			});
			expect(seen?.headers).to.include({
				"x-set": "100% of %START_TIME%",
				"x-empty": "",
				"x-add": "some, more",
			});
			expect(seen?.headers).not.to.have.property("x-gone");
		});

		it("sets, adds and removes on the way back", async () => {
			await rule({
				headers: {
					response: {
						set: { "x-out": "100%" },
						add: { "x-new": "%REQ(:path)%" },
						remove: ["x-secret"],
					},
				},
			});
			const { headers } = await caller.ask("http://echo/");
			expect(headers).to.include({ "x-out": "100%", "x-new": "%REQ(:path)%" });
			expect(headers).not.to.have.property("x-secret");
		});
	});

	describe("cors", () => {
		const cors = {
			allowOrigins: ["https://app.example.com", { suffix: ".example.org" }],
			methods: ["GET", "PUT"],
			headers: ["x-token"],
			exposeHeaders: ["x-total"],
			maxAge: "1h",
			credentials: true,
		};

		it("answers preflights of an allowed origin itself", async () => {
			await rule({ cors });
			const { status, headers, seen } = await caller.ask("http://echo/", {
				method: "OPTIONS",
				headers: {
					origin: "https://a.example.org",
					"access-control-request-method": "PUT",
				},
			});
			expect(status).to.equal(200);
			expect(seen).to.equal(undefined);
			expect(headers).to.include({
				"access-control-allow-origin": "https://a.example.org",
				"access-control-allow-methods": "GET, PUT",
				"access-control-allow-headers": "x-token",
				"access-control-max-age": "3600",
				"access-control-allow-credentials": "true",
			});
		});

		it("marks answers to an allowed origin, and to no other", async () => {
			await rule({ cors });
			const from = (origin: string) =>
				caller.ask("http://echo/", { headers: { origin } });
			const allowed = await from("https://app.example.com");
			expect(allowed.from).to.equal("echo");
			expect(allowed.headers).to.include({
				"access-control-allow-origin": "https://app.example.com",
				"access-control-expose-headers": "x-total",
				"access-control-allow-credentials": "true",
			});
			const other = await from("https://app.example.com.evil.net");
			expect(other.headers).not.to.have.property("access-control-allow-origin");
		});

		it("allows every origin with an asterisk", async () => {
			await rule({ cors: { allowOrigins: ["*"] } });
			const { headers } = await caller.ask("http://echo/", {
				headers: { origin: "https://anybody.example" },
			});
			expect(headers["access-control-allow-origin"]).to.be.oneOf([
				"*",
				"https://anybody.example",
			]);
		});
	});
});
