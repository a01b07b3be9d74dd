import { expect } from "chai";
import {
	endpointSlice,
	externalService,
	mesh,
	objects,
	type RouteRuleFields,
	routeRule,
	service,
} from "../../test/testkit/objects.ts";
import type { ApiObject } from "../api/objects.ts";
import { buildMesh } from "./build.ts";
import type { Action, Rule } from "./route.ts";

const reviews = "reviews.default.svc.cluster.local:9080";

/** A Service with HTTP on 9080, TCP on 7000 and TLS on 7443. */
const mixed = service("reviews", {
	ports: [
		{ port: 9080, name: "http" },
		{ port: 7000, name: "tcp" },
		{ port: 7443, name: "tls" },
	],
});

function build(...list: readonly ApiObject[]) {
	return buildMesh(objects(...list));
}

function rulesOf(key: string, ...list: readonly ApiObject[]) {
	return build(...list).mesh.routes.get(key)?.rules ?? [];
}

function namesOf(rules: readonly Rule[]): readonly string[] {
	return rules.map(({ origin }) => `${origin.namespace}/${origin.name}`);
}

/** Where a rule for `reviews` with these fields sends requests. */
function actionOf(
	fields: RouteRuleFields,
	...list: readonly ApiObject[]
): Action | undefined {
	const rule = routeRule("rule", {
		destination: { name: "reviews" },
		...fields,
	});
	return rulesOf(reviews, service("reviews"), rule, ...list)[0]?.action;
}

function targetsOf(
	fields: RouteRuleFields,
	...list: readonly ApiObject[]
): readonly string[] {
	const action = actionOf(fields, ...list);
	return action?.kind !== "forward"
		? [action?.kind ?? "nothing"]
		: action.targets.map(({ cluster, weight }) =>
				cluster === undefined
					? `${weight} nowhere`
					: `${weight} ${cluster.hostname}:${cluster.port} ${cluster.subset.name}`,
			);
}

/** `reason path` of every finding. */
function findingsOf(...list: readonly ApiObject[]): readonly string[] {
	return build(...list).findings.map(({ reason, path }) => `${reason} ${path}`);
}

describe("route tables", () => {
	it("exist for every port of every service", () => {
		const { routes } = build(mixed).mesh;
		expect([...routes.keys()]).to.deep.equal([
			"reviews.default.svc.cluster.local:7000",
			"reviews.default.svc.cluster.local:7443",
			reviews,
		]);
	});

	const orders = [
		{
			name: "put consumer rules before producer rules, whatever the precedence",
			rules: [
				routeRule("default/producer", {
					destination: { name: "reviews" },
					precedence: 100,
				}),
				routeRule("shop/consumer", {
					destination: { name: "reviews", namespace: "default" },
				}),
			],
			want: ["shop/consumer", "default/producer"],
		},
		{
			name: "put higher precedence first",
			rules: [
				routeRule("a", {
					destination: { name: "reviews" },
					match: [{ path: "/a" }],
				}),
				routeRule("b", {
					destination: { name: "reviews" },
					precedence: 1,
					match: [{ path: "/b" }],
				}),
			],
			want: ["default/b", "default/a"],
		},
		{
			name: "put the older rule first",
			rules: [
				routeRule(
					"a",
					{ destination: { name: "reviews" }, match: [{ path: "/a" }] },
					{ createdMs: 2 },
				),
				routeRule(
					"b",
					{ destination: { name: "reviews" }, match: [{ path: "/b" }] },
					{ createdMs: 1 },
				),
			],
			want: ["default/b", "default/a"],
		},
		{
			name: "put equally old rules in order of namespace and name",
			rules: [
				routeRule("z/a", {
					destination: { name: "reviews", namespace: "default" },
				}),
				routeRule("y/b", {
					destination: { name: "reviews", namespace: "default" },
				}),
			],
			want: ["y/b", "z/a"],
		},
		{
			name: "take rules of the root namespace for everybody, among the producer rules",
			rules: [
				routeRule("lateen-system/root", {
					destination: { name: "reviews", namespace: "default" },
					match: [{ path: "/a" }],
				}),
				routeRule("shop/consumer", {
					destination: { name: "reviews", namespace: "default" },
				}),
			],
			want: ["shop/consumer", "lateen-system/root"],
		},
	] as const;
	for (const { name, rules, want } of orders) {
		it(name, () =>
			expect(
				namesOf(rulesOf(reviews, service("reviews"), ...rules)),
			).to.deep.equal(want),
		);
	}

	it("limit consumer rules to callers of their namespace", () => {
		const rules = rulesOf(
			reviews,
			service("reviews"),
			routeRule("shop/consumer", {
				destination: { name: "reviews", namespace: "default" },
			}),
			routeRule("default/producer", { destination: { name: "reviews" } }),
		);
		expect(rules.map((rule) => rule.callerNamespace)).to.deep.equal([
			"shop",
			undefined,
		]);
	});

	it("name gateways with their namespace", () => {
		const [rule] = rulesOf(
			reviews,
			service("reviews"),
			routeRule("rule", {
				destination: { name: "reviews" },
				gateways: ["edge", "infra/public"],
			}),
		);
		expect(rule?.gateways).to.deep.equal(["default/edge", "infra/public"]);
		expect(rule?.sidecars).to.equal(true);
	});
});

describe("the destination of a rule", () => {
	const ports = [
		{ name: "means HTTP ports alone", fields: {}, want: ["http 9080"] },
		{
			name: "means one port by number",
			fields: { destination: { name: "reviews", port: 9080 } },
			want: ["http 9080"],
		},
		{
			name: "means one port by name",
			fields: { destination: { name: "reviews", port: "tcp" } },
			want: ["tcp 7000"],
		},
		{
			name: "means TCP and TLS ports for a rule on connections",
			fields: { match: [{ tcp: { sni: ["db.example.com"] } }] },
			want: ["tcp 7000", "tcp 7443"],
		},
	] as const;
	for (const { name, fields, want } of ports) {
		it(name, () => {
			const { routes } = build(
				mixed,
				routeRule("rule", { destination: { name: "reviews" }, ...fields }),
			).mesh;
			expect(
				[...routes.values()].flatMap(({ port, rules }) =>
					rules.map(({ layer }) => `${layer} ${port}`),
				),
			).to.deep.equal(want);
		});
	}

	it("means TCP ports when there are no others and the rule asks nothing of requests", () => {
		const [rule] = rulesOf(
			"db.default.svc.cluster.local:5432",
			service("db", { ports: [{ port: 5432, name: "tcp" }] }),
			routeRule("db", { route: [{ labels: { version: "v1" } }] }),
		);
		expect(rule?.layer).to.equal("tcp");
	});

	it("means whatever is spoken on a port without a protocol, unless the rule asks something of requests", () => {
		const rules = rulesOf(
			"any.default.svc.cluster.local:7777",
			service("any", { ports: [{ port: 7777, name: "main" }] }),
			routeRule("weights", {
				destination: { name: "any" },
				route: [{ labels: { version: "v1" } }],
			}),
			routeRule("headers", {
				destination: { name: "any" },
				precedence: 10,
				match: [{ headers: { "x-user": "jason" } }],
				route: [{ labels: { version: "v1" } }],
			}),
			routeRule("server-names", {
				destination: { name: "any" },
				precedence: 5,
				match: [{ tcp: { sni: ["any.example.com"] } }],
				route: [{ labels: { version: "v1" } }],
			}),
		);
		expect(
			rules.map(({ origin, layer }) => `${origin.name} ${layer}`),
		).to.deep.equal(["headers http", "server-names tcp", "weights both"]);
	});

	it("leaves nothing to later rules on a port without a protocol when it takes whatever is spoken there", () => {
		const rules = rulesOf(
			"any.default.svc.cluster.local:7777",
			service("any", { ports: [{ port: 7777, name: "main" }] }),
			routeRule("weights", {
				destination: { name: "any" },
				precedence: 10,
				route: [{ labels: { version: "v1" } }],
			}),
			routeRule("headers", {
				destination: { name: "any" },
				match: [{ headers: { "x-user": "jason" } }],
				route: [{ labels: { version: "v1" } }],
			}),
		);
		expect(rules.map(({ origin }) => origin.name)).to.deep.equal(["weights"]);
	});

	it("can be a host of an ExternalService in another namespace", () => {
		const [rule] = rulesOf(
			"api.example.com:80",
			externalService("outside/api"),
			routeRule("shop/api", { destination: { host: "api.example.com" } }),
		);
		expect(rule?.callerNamespace).to.equal("shop");
	});

	it("that is a wildcard includes hosts below it that other rules name", () => {
		const list = [
			externalService("all", { hosts: ["*.example.com"] }),
			routeRule("wild", { destination: { host: "*.example.com" } }),
			routeRule(
				"exact",
				{
					destination: { host: "api.example.com" },
					match: [{ path: "/" }],
				},
				{ createdMs: -1 },
			),
		];
		expect(namesOf(rulesOf("api.example.com:80", ...list))).to.deep.equal([
			"default/exact",
			"default/wild",
		]);
		expect(namesOf(rulesOf("*.example.com:80", ...list))).to.deep.equal([
			"default/wild",
		]);
	});

	const bad: readonly {
		readonly name: string;
		readonly fields: RouteRuleFields;
		readonly want: string;
	}[] = [
		{
			name: "is a finding when there is no such Service",
			fields: { destination: { name: "nobody" } },
			want: "DestinationNotFound spec.destination.name",
		},
		{
			name: "is a finding when the Service is in another namespace",
			fields: { destination: { name: "reviews", namespace: "other" } },
			want: "DestinationNotFound spec.destination.name",
		},
		{
			name: "is a finding when no ExternalService has the host",
			fields: { destination: { host: "nobody.example.com" } },
			want: "DestinationNotFound spec.destination.host",
		},
		{
			name: "is a finding when the host is one of a Service",
			fields: { destination: { host: "reviews.default.svc.cluster.local" } },
			want: "DestinationNotFound spec.destination.host",
		},
		{
			name: "is a finding when there is no such port",
			fields: { destination: { name: "reviews", port: 1 } },
			want: "DestinationNotFound spec.destination.port",
		},
		{
			name: "is a finding when the port cannot tell requests apart",
			fields: {
				destination: { name: "reviews", port: "tcp" },
				timeout: "3s",
			},
			want: "ProtocolMismatch spec.destination.port",
		},
		{
			name: "is a finding when a rule on connections names an HTTP port",
			fields: {
				destination: { name: "reviews", port: "http" },
				match: [{ tcp: { sni: ["a"] } }],
			},
			want: "ProtocolMismatch spec.destination.port",
		},
		{
			name: "is a finding when an entry is for a port that does not exist",
			fields: { match: [{ port: 1 }] },
			want: "DestinationNotFound spec.match[0].port",
		},
		{
			name: "is a finding when an entry is for a port that the rule is not for",
			fields: { match: [{ port: 7000 }] },
			want: "Unusable spec.match[0].port",
		},
		{
			name: "is a finding when an entry's caller is a Service that does not exist",
			fields: { match: [{ source: { name: "nobody" } }] },
			want: "DestinationNotFound spec.match[0].source.name",
		},
	];
	for (const { name, fields, want } of bad) {
		it(name, () =>
			expect(
				findingsOf(
					mixed,
					routeRule("rule", { destination: { name: "reviews" }, ...fields }),
				),
			).to.deep.equal([want]),
		);
	}

	it("is a finding when a consumer rule asks for callers of another namespace", () => {
		expect(
			findingsOf(
				service("reviews"),
				routeRule("shop/rule", {
					destination: { name: "reviews", namespace: "default" },
					match: [{ source: { namespace: "other" } }],
				}),
			),
		).to.deep.equal(["Unusable spec.match[0].source.namespace"]);
	});

	it("is a finding when a consumer rule is for another namespace's gateway", () => {
		expect(
			findingsOf(
				service("reviews"),
				routeRule("shop/rule", {
					destination: { name: "reviews", namespace: "default" },
					gateways: ["infra/edge"],
				}),
			),
		).to.deep.equal(["Unusable spec.gateways[0]"]);
	});

	it("says in a sentence what is wrong and what to do", () => {
		const [finding] = build(
			mixed,
			routeRule("rule", { destination: { name: "reviews", port: "web" } }),
		).findings;
		expect(finding).to.deep.equal({
			about: { kind: "RouteRule", namespace: "default", name: "rule" },
			condition: "ResolvedRefs",
			reason: "DestinationNotFound",
			path: "spec.destination.port",
			message:
				"Service default/reviews has no port web, so the rule has no effect. Its ports are 7000 (tcp), 7443 (tls), 9080 (http).",
		});
	});
});

describe("where a rule sends requests", () => {
	const ratings = service("ratings", { ports: [{ port: 9090, name: "http" }] });
	const many = service("many", {
		ports: [
			{ port: 1, name: "http" },
			{ port: 2, name: "http-b" },
		],
	});
	const whole = "1 reviews.default.svc.cluster.local:9080 ";
	const cases: readonly {
		readonly name: string;
		readonly fields: RouteRuleFields;
		readonly want: readonly string[];
	}[] = [
		{ name: "is the whole destination by default", fields: {}, want: [whole] },
		{
			name: "is told by labels, in order of their keys",
			fields: { route: [{ labels: { version: "v2", app: "x" } }] },
			want: [`${whole}app=x,version=v2`],
		},
		{
			name: "is shared by weights",
			fields: {
				route: [
					{ labels: { version: "v1" }, weight: 30 },
					{ labels: { version: "v2" }, weight: 10 },
				],
			},
			want: [
				"30 reviews.default.svc.cluster.local:9080 version=v1",
				"10 reviews.default.svc.cluster.local:9080 version=v2",
			],
		},
		{
			name: "is the only port of another service when it has not the same",
			fields: { route: [{ destination: { name: "ratings" } }] },
			want: ["1 ratings.default.svc.cluster.local:9090 "],
		},
		{
			name: "is the port that is named",
			fields: { route: [{ destination: { name: "many", port: "http-b" } }] },
			want: ["1 many.default.svc.cluster.local:2 "],
		},
		{
			name: "is unresolved when nothing that is named exists",
			fields: { route: [{ destination: { name: "nobody" } }] },
			want: ["unresolved"],
		},
		{
			name: "is nowhere for the share that does not exist",
			fields: {
				route: [{ destination: { name: "nobody" } }, { weight: 3 }],
			},
			want: ["1 nowhere", `3${whole.slice(1)}`],
		},
		{
			name: "is unresolved when another service has several ports and none is named",
			fields: { route: [{ destination: { name: "many" } }] },
			want: ["unresolved"],
		},
		{
			name: "is unresolved when all weights are 0",
			fields: { route: [{ weight: 0 }, { weight: 0 }] },
			want: ["unresolved"],
		},
		{
			name: "has the settings of the cluster in its name",
			fields: {
				route: [{ labels: { version: "v2" } }],
				affinity: { header: "x-user" },
				retries: { budget: { percent: 25 } },
			},
			want: [`${whole}version=v2~hash~budget=25:3`],
		},
	];
	for (const { name, fields, want } of cases) {
		it(name, () =>
			expect(targetsOf(fields, ratings, many)).to.deep.equal(want),
		);
	}

	it("is not an address that another caller chose", () => {
		const list = [
			service("reviews"),
			externalService("api", { resolution: "None" }),
			routeRule("rule", {
				destination: { name: "reviews" },
				route: [{ destination: { host: "api.example.com", port: 80 } }],
			}),
		];
		expect(rulesOf(reviews, ...list)[0]?.action.kind).to.equal("unresolved");
		expect(findingsOf(...list)).to.deep.equal([
			"Unusable spec.route[0].destination",
		]);
	});

	it("is the host that was called when a wildcard rule names its own host", () => {
		const [rule] = rulesOf(
			"api.example.com:80",
			externalService("all", { hosts: ["*.example.com"] }),
			routeRule("other", {
				destination: { host: "reviews.example.com" },
				route: [{ destination: { host: "api.example.com" } }],
			}),
			routeRule("wild", {
				destination: { host: "*.example.com" },
				route: [{ destination: { host: "*.example.com", port: 80 } }],
			}),
		);
		expect(
			rule?.action.kind === "forward" &&
				rule.action.targets[0]?.cluster?.hostname,
		).to.equal("api.example.com");
	});

	it("leaves out mirrors that do not exist, with a finding", () => {
		const mirror = [
			{ destination: { name: "ratings" }, percent: 10 },
			{ destination: { name: "nobody" } },
		];
		const action = actionOf({ mirror }, ratings);
		expect(action?.kind === "forward" && action.mirrors).to.deep.equal([
			{
				cluster: {
					hostname: "ratings.default.svc.cluster.local",
					port: 9090,
					subset: { name: "", labels: {}, hashed: false },
				},
				percent: 10,
			},
		]);
		expect(
			findingsOf(
				service("reviews"),
				ratings,
				routeRule("rule", { destination: { name: "reviews" }, mirror }),
			),
		).to.deep.equal(["DestinationNotFound spec.mirror[1].destination.name"]);
	});
});

describe("subsets", () => {
	const rule = routeRule("rule", {
		destination: { name: "reviews" },
		route: [{ labels: { version: "v2" } }, { labels: { version: "v1" } }],
	});

	it("are what rules ask for, after the whole service", () => {
		const { subsets } = build(service("reviews"), service("other"), rule).mesh;
		expect(
			[...subsets].map(([hostname, list]) => [
				hostname,
				list.map(({ name }) => name),
			]),
		).to.deep.equal([
			["other.default.svc.cluster.local", [""]],
			["reviews.default.svc.cluster.local", ["", "version=v1", "version=v2"]],
		]);
	});

	it("are a finding while no endpoint has their labels, and stay", () => {
		const slice = endpointSlice(
			"reviews",
			{ endpoints: ["10.0.0.1"] },
			{ labels: { version: "v1" } },
		);
		const list = [service("reviews"), slice, rule];
		expect(findingsOf(...list)).to.deep.equal([
			"SubsetEmpty spec.route[0].labels",
		]);
		expect(
			targetsOf({ route: [{ labels: { version: "v2" } }] }, slice),
		).to.deep.equal(["1 reviews.default.svc.cluster.local:9080 version=v2"]);
	});
});

describe("rules that can never be reached", () => {
	const taker = routeRule("taker", { destination: { name: "reviews" } });
	const late = (fields: RouteRuleFields = {}, name = "late") =>
		routeRule(
			name,
			{ destination: { name: "reviews" }, ...fields },
			{ createdMs: 1 },
		);

	it("are gone and name who takes their requests", () => {
		const built = build(service("reviews"), taker, late());
		expect(namesOf(built.mesh.routes.get(reviews)?.rules ?? [])).to.deep.equal([
			"default/taker",
		]);
		expect(built.findings).to.deep.equal([
			{
				about: { kind: "RouteRule", namespace: "default", name: "late" },
				condition: "Programmed",
				reason: "Shadowed",
				path: "",
				message:
					"Every request that this rule could take is taken by RouteRule default/taker before it, so it never applies. Give it a higher precedence, or narrow RouteRule default/taker.",
			},
		]);
	});

	it("are no finding while one port is left to them", () => {
		const two = service("reviews", {
			ports: [
				{ port: 9080, name: "http" },
				{ port: 9081, name: "http-b" },
			],
		});
		const one = routeRule("taker", {
			destination: { name: "reviews", port: 9080 },
		});
		expect(findingsOf(two, one, late())).to.deep.equal([]);
	});

	it("are reached by callers of another namespace when a consumer rule is before them", () => {
		const consumer = routeRule("shop/consumer", {
			destination: { name: "reviews", namespace: "default" },
		});
		expect(findingsOf(service("reviews"), consumer, late())).to.deep.equal([]);
	});

	it("ask for no subset", () => {
		const { subsets } = build(
			service("reviews"),
			taker,
			late({ route: [{ labels: { version: "v9" } }] }),
		).mesh;
		expect(subsets.get("reviews.default.svc.cluster.local")?.length).to.equal(
			1,
		);
	});
});

describe("facts about callers", () => {
	it("are those that some rule asks for", () => {
		const { callerFacts } = build(
			service("reviews"),
			service("productpage"),
			routeRule("rule", {
				destination: { name: "reviews" },
				match: [
					{ source: { name: "productpage", labels: { version: "v2" } } },
					{ source: { identity: { prefix: "spiffe://x/" } } },
				],
			}),
		).mesh;
		expect(callerFacts).to.deep.equal({
			labelKeys: new Set(["version"]),
			services: new Set(["productpage.default.svc.cluster.local"]),
			identity: true,
		});
	});

	it("are none without such rules", () => {
		const { callerFacts } = build(
			mesh(),
			service("reviews"),
			routeRule("reviews"),
		).mesh;
		expect(callerFacts).to.deep.equal({
			labelKeys: new Set(),
			services: new Set(),
			identity: false,
		});
	});
});
