import { expect } from "chai";
import { objects, routeRule, service } from "../../test/testkit/objects.ts";
import { buildMesh } from "./build.ts";
import { type Caller, outcomeKey, rulesFor } from "./caller.ts";
import type { RouteTable } from "./route.ts";

const sidecar: Caller = {
	kind: "sidecar",
	gateway: "",
	namespace: "shop",
	labels: new Map([["version", "v1"]]),
	services: ["cart.shop.svc.cluster.local"],
	identity: "spiffe://cluster.local/ns/shop/sa/cart",
};

const gateway: Caller = {
	...sidecar,
	kind: "gateway",
	gateway: "default/edge",
	namespace: "default",
};

function tableOf(
	...rules: readonly ReturnType<typeof routeRule>[]
): RouteTable {
	const table = buildMesh(
		objects(service("reviews"), service("shop/cart"), ...rules),
	).mesh.routes.get("reviews.default.svc.cluster.local:9080");
	if (table === undefined) throw new Error("no table");
	return table;
}

type Source = NonNullable<
	NonNullable<Parameters<typeof routeRule>[1]>["match"]
>[number]["source"];

function applies(source: NonNullable<Source>, caller: Caller): boolean {
	const table = tableOf(
		routeRule("rule", {
			destination: { name: "reviews" },
			match: [{ source }],
		}),
	);
	return rulesFor(table, caller).length === 1;
}

describe("rulesFor", () => {
	const cases: readonly {
		readonly name: string;
		readonly source: NonNullable<Source>;
		readonly want: boolean;
	}[] = [
		{
			name: "takes a caller that serves the named Service",
			source: { name: "cart", namespace: "shop" },
			want: true,
		},
		{
			name: "leaves out a caller of another Service",
			source: { name: "reviews" },
			want: false,
		},
		{
			name: "takes a caller of the namespace",
			source: { namespace: "shop" },
			want: true,
		},
		{
			name: "leaves out a caller of another namespace",
			source: { namespace: "default" },
			want: false,
		},
		{
			name: "takes a caller with the labels",
			source: { labels: { version: "v1" } },
			want: true,
		},
		{
			name: "leaves out a caller without one of the labels",
			source: { labels: { version: "v1", app: "cart" } },
			want: false,
		},
		{
			name: "takes a caller with the identity",
			source: { identity: "spiffe://cluster.local/ns/shop/sa/cart" },
			want: true,
		},
		{
			name: "takes a caller whose identity starts so",
			source: { identity: { prefix: "spiffe://cluster.local/ns/shop/" } },
			want: true,
		},
		{
			name: "leaves out a caller with another identity",
			source: { identity: "spiffe://cluster.local/ns/shop/sa/other" },
			want: false,
		},
		{
			name: "leaves out a caller that meets one of two conditions",
			source: { namespace: "shop", labels: { version: "v2" } },
			want: false,
		},
	];
	for (const { name, source, want } of cases) {
		it(name, () => expect(applies(source, sidecar)).to.equal(want));
	}

	it("leaves out a caller of unknown identity when one is asked for", () => {
		expect(
			applies(
				{ identity: { prefix: "spiffe://" } },
				{ ...sidecar, identity: "" },
			),
		).to.equal(false);
	});

	it("leaves out consumer rules of another namespace", () => {
		const table = tableOf(
			routeRule("other/rule", {
				destination: { name: "reviews", namespace: "default" },
			}),
		);
		expect(rulesFor(table, sidecar)).to.deep.equal([]);
	});

	it("gives a gateway the rules that name it alone", () => {
		const table = tableOf(
			routeRule("a", {
				destination: { name: "reviews" },
				match: [{ path: "/a" }],
				gateways: ["edge"],
			}),
			routeRule("b", { destination: { name: "reviews" } }),
		);
		const names = (caller: Caller) =>
			rulesFor(table, caller).map(({ rule }) => rule.origin.name);
		expect(names(gateway)).to.deep.equal(["a"]);
		expect(names(sidecar)).to.deep.equal(["a", "b"]);
	});

	it("leaves out the entries that do not apply", () => {
		const table = tableOf(
			routeRule("rule", {
				destination: { name: "reviews" },
				match: [
					{ source: { namespace: "default" } },
					{ source: { namespace: "shop" }, path: "/b" },
				],
			}),
		);
		expect(
			rulesFor(table, sidecar)[0]?.branches.map(({ index }) => index),
		).to.deep.equal([1]);
	});

	it("gives callers with the same outcome the same array", () => {
		const table = tableOf(
			routeRule("rule", {
				destination: { name: "reviews" },
				match: [{ source: { labels: { version: "v1" } } }],
			}),
		);
		const other: Caller = { ...sidecar, namespace: "default", services: [] };
		const stranger: Caller = { ...sidecar, labels: new Map() };
		expect(rulesFor(table, other)).to.equal(rulesFor(table, sidecar));
		expect(outcomeKey(table, other)).to.equal(outcomeKey(table, sidecar));
		expect(rulesFor(table, stranger)).to.deep.equal([]);
		expect(outcomeKey(table, stranger)).not.to.equal(
			outcomeKey(table, sidecar),
		);
	});
});
