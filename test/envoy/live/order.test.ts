import { expect } from "chai";
import { eventually } from "../../testkit/eventually.ts";
import { type Caller, LiveMesh } from "../../testkit/live-mesh.ts";
import { ruleYaml, serviceYaml } from "../../testkit/mesh-yaml.ts";

/** A rule for `echo` that answers by itself, so that the answer names the rule. */
function saying(
	word: string,
	rest: object = {},
	namespace = "default",
): string {
	return ruleYaml(
		word,
		{
			destination: { name: "echo", namespace: "default" },
			respond: { status: 200, body: word },
			...rest,
		},
		namespace,
	);
}

describe("the order of rules", () => {
	let mesh: LiveMesh;
	/** In namespace default, labels `tier: gold`. */
	let gold: Caller;
	/** In namespace shop. */
	let shop: Caller;

	before(async () => {
		mesh = await LiveMesh.start(
			serviceYaml("echo") +
				serviceYaml("front") +
				serviceYaml("cart", undefined, "shop"),
		);
		await mesh.application({
			name: "echo-v1",
			service: "echo",
			labels: { version: "v1" },
		});
		[gold, shop] = await Promise.all([
			mesh.caller("default/gold", {
				service: "front",
				labels: { tier: "gold" },
			}),
			// A rule of its own namespace may take everything, the marker too.
			mesh.caller("shop/cart-1", { service: "cart", marked: false }),
		]);
		// Whoever serves a Service is found by its endpoints.
		for (const [name, service, namespace] of [
			["gold", "front", "default"],
			["cart-1", "cart", "shop"],
		] as const)
			mesh.workload({
				name,
				service,
				namespace,
				ports: { http: 9 },
				...(name === "gold" && { labels: { tier: "gold" } }),
			});
		mesh.remove("pod-default-gold.yaml");
		mesh.remove("pod-shop-cart-1.yaml");
	});

	after(() => mesh[Symbol.asyncDispose]());

	async function answer(caller: Caller, path: string): Promise<string> {
		const { from, body } = await caller.ask(`http://echo.default${path}`);
		return typeof from === "string" ? from : body;
	}

	async function answers(expected: {
		readonly gold: string;
		readonly shop: string;
		readonly path?: string;
	}): Promise<void> {
		const { path = "/" } = expected;
		await eventually(async () => {
			expect({
				gold: await answer(gold, path),
				shop: await answer(shop, path),
			}).to.deep.equal({ gold: expected.gold, shop: expected.shop });
		});
	}

	it("tries higher precedence first", async () => {
		await mesh.rules(
			saying("low", { precedence: -1 }),
			saying("high", { precedence: 10, match: [{ path: { prefix: "/a" } }] }),
			saying("middle", { match: [{ path: { prefix: "/a/b" } }] }),
		);
		await answers({ path: "/a/b", gold: "high", shop: "high" });
		await answers({ path: "/", gold: "low", shop: "low" });
	});

	it("goes by name when nothing else decides", async () => {
		await mesh.rules(saying("b-second"), saying("a-first"));
		await answers({ gold: "a-first", shop: "a-first" });
	});

	it("tries the entries of a rule that comes earlier before those of a later one", async () => {
		await mesh.rules(
			saying("first", {
				precedence: 1,
				match: [{ path: "/x" }, { path: "/y" }],
			}),
			saying("second", { match: [{ path: { prefix: "/" } }] }),
		);
		await answers({ path: "/y", gold: "first", shop: "first" });
		await answers({ path: "/z", gold: "second", shop: "second" });
	});

	it("leaves what no rule takes to the whole service", async () => {
		await mesh.rules(saying("some", { match: [{ path: "/some" }] }));
		await answers({ path: "/some", gold: "some", shop: "some" });
		await answers({ path: "/other", gold: "echo-v1", shop: "echo-v1" });
	});

	it("never applies a rule that an earlier one shadows, and names both", async () => {
		await mesh.rules(
			saying("all", { precedence: 1 }),
			saying("never", { match: [{ path: "/x" }] }),
		);
		await answers({ path: "/x", gold: "all", shop: "all" });
		const problems = await mesh.admin("/v1/problems");
		expect(problems).to.include("Shadowed").and.include("default/all");
	});

	it("applies a rule of a caller's own namespace to it alone, before those of the service's namespace", async () => {
		await mesh.rules(
			saying("producer", { precedence: 100 }),
			saying("consumer", { match: [{ path: "/ours" }] }, "shop"),
		);
		await answers({ path: "/ours", gold: "producer", shop: "consumer" });
		await answers({ path: "/theirs", gold: "producer", shop: "producer" });
	});

	for (const { name, source, shop = "echo-v1" } of [
		{ name: "the Service that the caller serves", source: { name: "front" } },
		{ name: "the caller's labels", source: { labels: { tier: "gold" } } },
		{ name: "the caller's namespace", source: { namespace: "default" } },
		{
			name: "the caller's identity",
			source: { identity: "spiffe://cluster.local/ns/default/sa/front" },
		},
		{
			name: "the prefix of the caller's identity",
			source: {
				identity: { prefix: "spiffe://cluster.local/ns/default/" },
			},
		},
		{
			name: "all that is asked of the caller together",
			source: {
				name: "front",
				namespace: "default",
				labels: { app: "front", tier: "gold" },
			},
		},
		{
			name: "an identity that all have",
			source: { identity: { prefix: "spiffe://" } },
			shop: "taken",
		},
	])
		it(`applies by ${name}`, async () => {
			await mesh.rules(saying("taken", { match: [{ source }] }));
			await answers({ gold: "taken", shop });
		});

	it("follows the caller's labels when they change", async () => {
		await mesh.rules(
			saying("taken", { match: [{ source: { labels: { tier: "iron" } } }] }),
		);
		await answers({ gold: "echo-v1", shop: "echo-v1" });
		mesh.workload({
			name: "cart-1",
			service: "cart",
			namespace: "shop",
			labels: { tier: "iron" },
			ports: { http: 9 },
		});
		await answers({ gold: "echo-v1", shop: "taken" });
	});

	it("applies by nobody when the caller asked for is not there", async () => {
		await mesh.rules(
			saying("taken", {
				match: [{ source: { labels: { tier: "silver" } } }],
			}),
			saying("other", {
				match: [{ path: "/x", source: { namespace: "shop" } }],
			}),
		);
		await answers({ path: "/x", gold: "echo-v1", shop: "other" });
		await answers({ path: "/", gold: "echo-v1", shop: "echo-v1" });
	});
});
