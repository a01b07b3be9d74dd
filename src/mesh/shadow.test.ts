import { expect } from "chai";
import fc from "fast-check";
import {
	objects,
	type RouteRuleFields,
	routeRule,
	service,
} from "../../test/testkit/objects.ts";
import { buildMesh } from "./build.ts";
import type { Branch, HttpMatch, Rule } from "./route.ts";
import { dropShadowed } from "./shadow.ts";
import type { StringMatch } from "./string-match.ts";

type Match = NonNullable<RouteRuleFields["match"]>[number];

/** Whether an earlier rule with one match leaves anything to a later one with another. */
function isShadowed(
	earlier: Match,
	later: Match,
	gateways: readonly [readonly string[], readonly string[]] = [[], []],
): boolean {
	const rule = (
		name: string,
		match: Match,
		createdMs: number,
		own: readonly string[],
	) =>
		routeRule(
			name,
			{ destination: { name: "reviews" }, match: [match], gateways: own },
			{ createdMs },
		);
	const { findings } = buildMesh(
		objects(
			service("reviews"),
			service("caller"),
			rule("earlier", earlier, 1, gateways[0]),
			rule("later", later, 2, gateways[1]),
		),
	);
	return findings.some(({ reason }) => reason === "Shadowed");
}

describe("an earlier match shadows a later one", () => {
	const cases: readonly {
		readonly name: string;
		readonly earlier: Match;
		readonly later: Match;
		readonly want: boolean;
	}[] = [
		{
			name: "when both are equal",
			earlier: { path: { regex: "/a.*" } },
			later: { path: { regex: "/a.*" } },
			want: true,
		},
		{
			name: "when it asks nothing",
			earlier: {},
			later: { method: "GET" },
			want: true,
		},
		{
			name: "but not when the later one asks nothing",
			earlier: { path: { prefix: "/" } },
			later: {},
			want: false,
		},
		{
			name: "when its prefix is shorter",
			earlier: { path: { prefix: "/a" } },
			later: { path: { prefix: "/a/b" } },
			want: true,
		},
		{
			name: "but not when its prefix is longer",
			earlier: { path: { prefix: "/a/b" } },
			later: { path: { prefix: "/a" } },
			want: false,
		},
		{
			name: "when its prefix covers an exact path",
			earlier: { path: { prefix: "/a" } },
			later: { path: "/a/b" },
			want: true,
		},
		{
			name: "but not when the later one is turned round",
			earlier: { path: { prefix: "/a" } },
			later: { path: { exact: "/a/b", not: true } },
			want: false,
		},
		{
			name: "but not when a regex might be wider",
			earlier: { path: { prefix: "/a" } },
			later: { path: { regex: "/a.*" } },
			want: false,
		},
		{
			name: "when it asks for fewer headers",
			earlier: { headers: { a: "1" } },
			later: { headers: { A: "1", b: "2" } },
			want: true,
		},
		{
			name: "but not when it asks for another value",
			earlier: { headers: { a: "1" } },
			later: { headers: { a: "2" } },
			want: false,
		},
		{
			name: "but not when it asks for one more condition",
			earlier: { headers: { a: "1" }, method: "GET" },
			later: { headers: { a: "1" } },
			want: false,
		},
		{
			name: "when it is for any caller",
			earlier: {},
			later: { source: { name: "caller" } },
			want: true,
		},
		{
			name: "but not when it is for one caller",
			earlier: { source: { name: "caller" } },
			later: {},
			want: false,
		},
		{
			name: "when it asks for fewer labels of the caller",
			earlier: { source: { labels: { a: "1" } } },
			later: { source: { labels: { a: "1", b: "2" } } },
			want: true,
		},
		{
			name: "when its identities include the later one's",
			earlier: { source: { identity: { prefix: "spiffe://x/" } } },
			later: { source: { identity: "spiffe://x/ns/a/sa/b" } },
			want: true,
		},
	];
	for (const { name, earlier, later, want } of cases) {
		it(name, () => expect(isShadowed(earlier, later)).to.equal(want));
	}

	it("but not when the later rule is for a gateway that it is not for", () => {
		expect(isShadowed({}, {}, [[], ["edge"]])).to.equal(false);
	});

	it("when it is for more gateways", () => {
		expect(isShadowed({}, {}, [["edge", "other"], ["edge"]])).to.equal(true);
	});

	it("within one rule too, which stays without the entry", () => {
		const built = buildMesh(
			objects(
				service("reviews"),
				routeRule("reviews", {
					match: [{ path: { prefix: "/a" } }, { path: "/a/b" }, { path: "/c" }],
				}),
			),
		);
		const [rule] =
			built.mesh.routes.get("reviews.default.svc.cluster.local:9080")?.rules ??
			[];
		expect(rule?.branches.map(({ index }) => index)).to.deep.equal([0, 2]);
		expect(built.findings).to.deep.equal([]);
	});
});

describe("dropShadowed", () => {
	const text = fc.constantFrom("/", "/a", "/A", "/ab");
	const match: fc.Arbitrary<StringMatch> = fc.record({
		kind: fc.constantFrom("exact", "prefix", "present"),
		value: text,
		not: fc.oneof(
			{ weight: 4, arbitrary: fc.constant(false) },
			fc.constant(true),
		),
		ignoreCase: fc.boolean(),
	});
	const http: fc.Arbitrary<HttpMatch | undefined> = fc.option(
		fc
			.tuple(
				fc.option(match),
				fc.dictionary(fc.constantFrom("a", "b"), match, { maxKeys: 2 }),
			)
			.map(([path, headers]) => ({
				...(path !== null && { path }),
				headers: Object.entries(headers),
				query: [],
			})),
		{ nil: undefined },
	);
	const rules = fc
		.array(
			fc.tuple(
				fc.option(fc.constantFrom("shop", "default")),
				fc.array(http, { minLength: 1, maxLength: 3 }),
			),
			{ maxLength: 6 },
		)
		.map((list) =>
			list.map(
				([callerNamespace, matches], index): Rule => ({
					origin: {
						kind: "RouteRule",
						namespace: "default",
						name: `r${index}`,
					},
					layer: "http",
					...(callerNamespace !== null && { callerNamespace }),
					sidecars: true,
					gateways: [],
					branches: matches.map((one, at) => ({
						index: at,
						...(one !== undefined && { http: one }),
					})),
					action: { kind: "respond", status: 200, body: "" },
				}),
			),
		);
	const request = fc.record({
		namespace: fc.constantFrom("shop", "other"),
		path: text,
		headers: fc.dictionary(fc.constantFrom("a", "b"), text),
	});

	/** Says what a match means, without the code under test. */
	function meets(value: string | undefined, asked: StringMatch): boolean {
		const fold = (s: string) => (asked.ignoreCase ? s.toLowerCase() : s);
		const isMet =
			value !== undefined &&
			(asked.kind === "present" ||
				(asked.kind === "exact"
					? fold(value) === fold(asked.value)
					: fold(value).startsWith(fold(asked.value))));
		return isMet !== asked.not;
	}

	it("changes nothing for any request", () => {
		fc.assert(
			fc.property(
				rules,
				fc.array(request, { minLength: 1, maxLength: 10 }),
				(all, requests) => {
					const taken = (
						list: readonly Rule[],
						{ namespace, path, headers }: (typeof requests)[number],
					): string | undefined => {
						const takes = ({ http: asked }: Branch): boolean =>
							asked === undefined ||
							((asked.path === undefined || meets(path, asked.path)) &&
								asked.headers.every(([name, one]) =>
									meets(headers[name], one),
								));
						for (const rule of list) {
							if ((rule.callerNamespace ?? namespace) !== namespace) continue;
							const branch = rule.branches.find(takes);
							if (branch) return `${rule.origin.name} ${branch.index}`;
						}
						return undefined;
					};
					const { rules: kept } = dropShadowed(all);
					for (const one of requests) {
						expect(taken(kept, one)).to.equal(taken(all, one));
					}
				},
			),
			{ numRuns: 500 },
		);
	});

	it("names the first rule that takes everything", () => {
		const rule = (name: string, http?: HttpMatch): Rule => ({
			origin: { kind: "RouteRule", namespace: "default", name },
			layer: "http",
			sidecars: true,
			gateways: [],
			branches: [{ index: 0, ...(http && { http }) }],
			action: { kind: "respond", status: 200, body: "" },
		});
		const exact: HttpMatch = {
			path: { kind: "exact", value: "/a", not: false, ignoreCase: false },
			headers: [],
			query: [],
		};
		const { shadowed } = dropShadowed([
			rule("exact", exact),
			rule("all"),
			rule("late", exact),
		]);
		expect(
			shadowed.map(({ origin, by }) => [origin.name, by[0]?.name]),
		).to.deep.equal([["late", "exact"]]);
	});
});
