import { expect } from "chai";
import fc from "fast-check";
import {
	endpointSlice,
	externalService,
	mesh,
	objects,
	pod,
	routeRule,
	service,
} from "../../../test/testkit/objects.ts";
import type { ApiObject, Objects } from "../../api/objects.ts";
import { deepEqual } from "../../lib/deep-equal.ts";
import { buildMesh, type MeshBuild } from "../../mesh/build.ts";
import type { MeshEdition } from "../../mesh/editions.ts";
import type { Proxy } from "../proxy.ts";
import type { ProxyResources } from "../proxy-resources.ts";
import { renderProxy } from "../render.ts";
import type { Resource } from "../resource.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import { Catalog } from "./catalog.ts";

const nowhere = { inbound: [], tcp: [], gateway: [] } as const;

function sidecar(workload: string, over: Partial<Proxy> = {}): Proxy {
	return {
		workload,
		id: `sidecar~${workload}`,
		kind: "sidecar",
		attachment: "explicit",
		addresses: {
			...nowhere,
			outbound: "127.0.0.1:15001",
			tcp: [{ service: "db.default:5432", listen: "127.0.0.1:15432" }],
		},
		...over,
	};
}

const proxies: readonly (readonly [Proxy, "delta" | "sotw"])[] = [
	[sidecar("default/a"), "delta"],
	[sidecar("other/b"), "delta"],
	[
		sidecar("default/c", { attachment: "captured", addresses: nowhere }),
		"delta",
	],
	[sidecar("default/a"), "sotw"],
	[
		sidecar("default/edge", {
			kind: "gateway",
			addresses: { ...nowhere, gateway: [{ listen: "127.0.0.1:8080" }] },
		}),
		"delta",
	],
];

/** Small sets of names, so that random edits meet each other. */
const name = fc.constantFrom("x", "y", "z");
const labels = fc.constantFrom({}, { version: "v1" }, { version: "v2" });
const namespace = fc.constantFrom("default", "other");

const object: fc.Arbitrary<ApiObject> = fc.oneof(
	fc
		.record({
			name,
			port: fc.constantFrom("http", "tcp", "grpc", "main"),
			headless: fc.boolean(),
		})
		.map(({ name, port, headless }) =>
			service(name, {
				ports: [{ port: 9080, name: port }],
				...(headless
					? { headless, clusterIPs: [] }
					: { clusterIPs: [`10.0.0.${name.charCodeAt(0)}`] }),
			}),
		),
	fc
		.record({ name, last: fc.integer({ min: 1, max: 4 }), ready: fc.boolean() })
		.map(({ name, last, ready }) =>
			endpointSlice(name, {
				endpoints: [`10.1.0.${last}`, { addresses: ["10.1.0.9"], ready }],
			}),
		),
	fc
		.record({
			name,
			target: name,
			namespace,
			labels,
			path: fc.constantFrom("/a", "/b"),
			from: fc.option(labels, { nil: undefined }),
			gateway: fc.boolean(),
			precedence: fc.integer({ min: 0, max: 2 }),
		})
		.map(
			({ name, target, namespace, labels, path, from, gateway, precedence }) =>
				routeRule(`${namespace}/${name}`, {
					destination: { name: target, namespace: "default" },
					precedence,
					...(gateway ? { gateways: ["edge"] } : undefined),
					match: [
						{ path, ...(from ? { source: { labels: from } } : undefined) },
					],
					route: [{ labels }],
				}),
		),
	fc
		.record({ name: fc.constantFrom("a", "c"), labels })
		.map(({ name, labels }) => pod(name, {}, { labels })),
	fc
		.record({
			resolution: fc.constantFrom("DNS", "None", "Static"),
			port: fc.constantFrom("HTTP", "TLS"),
		})
		.map(({ resolution, port }) =>
			externalService("ext", {
				hosts: ["api.example.com"],
				resolution: resolution as "DNS" | "None" | "Static",
				ports: [{ number: 443, name: "p", protocol: port as "HTTP" | "TLS" }],
				...(resolution === "Static"
					? { endpoints: [{ address: "192.0.2.1" }] }
					: undefined),
			}),
		),
	fc
		.constantFrom("AllowAny" as const, "RegistryOnly" as const)
		.map((outboundTraffic) => mesh({ outboundTraffic })),
);

const edit = fc.record({
	put: fc.array(object, { minLength: 1, maxLength: 3 }),
	remove: fc.option(fc.nat(), { nil: undefined }),
	/** Names of the rules that old proxies do not get; undefined when they get everything. */
	withheld: fc.option(fc.subarray(["x", "y", "z"]), { nil: undefined }),
});

/** An edition of the mesh without the rules of these names, for proxies that run `old`. */
function editionWithout(
	names: readonly string[],
	all: Objects,
	build: MeshBuild,
): MeshEdition {
	const rules = [...all.RouteRule].filter(
		([, { metadata }]) => !names.includes(metadata.name),
	);
	const without = { ...all, RouteRule: new Map(rules) };
	return {
		id: "old",
		software: new Set(["old"]),
		proxies: new Set(),
		objects: without,
		withheld: names.map((name) => ({
			ref: { kind: "RouteRule", namespace: "default", name },
			rejections: [{ proxy: "default/old", message: "no" }],
		})),
		mesh: buildMesh(without, build).mesh,
	};
}

describe("Catalog", () => {
	it("holds after every change what a fresh one would hold, and names just what changed", () => {
		fc.assert(
			fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
				const current = new Map<string, ApiObject>();
				const catalog = new Catalog();
				let built = buildMesh(objects());
				catalog.update(built.mesh);
				const attached = proxies.map(([proxy, variant]) => {
					const { resources } = catalog.attach(proxy, variant);
					const named = new Set<string>();
					resources.subscribe((changed) => {
						for (const [type, names] of changed) {
							for (const one of names) named.add(`${type} ${one}`);
						}
					});
					return {
						proxy,
						variant,
						resources,
						named,
						before: new Map<string, string>(),
					};
				});
				for (const { put, remove } of edits) {
					for (const one of put) {
						current.set(
							`${one.kind}/${one.metadata.namespace}/${one.metadata.name}`,
							one,
						);
					}
					if (remove !== undefined && current.size > 0) {
						const keys = [...current.keys()];
						current.delete(keys[remove % keys.length] ?? "");
					}
					for (const one of attached) {
						one.named.clear();
						one.before = versions((type) => all(one.resources, type));
					}
					const previous = built.mesh;
					built = buildMesh(objects(...current.values()), built);
					catalog.update(built.mesh);
					const fresh = buildMesh(objects(...current.values())).mesh;
					for (const one of attached) {
						const now = versions((type) => all(one.resources, type));
						const rendered = renderProxy(fresh, one.proxy, one.variant);
						expect(now).to.deep.equal(
							versions((type) => rendered.get(type) ?? []),
						);
						const differs = differing(one.before, now);
						// A proxy that moves to another scope may look in vain at what changed in the one it left.
						const mayMove =
							built.mesh.workloads !== previous.workloads ||
							built.mesh.callerFacts !== previous.callerFacts;
						if (mayMove) expect([...one.named]).to.include.members(differs);
						else expect([...one.named].sort()).to.deep.equal(differs);
					}
				}
			}),
			{ numRuns: 150 },
		);
	});

	it("holds for old proxies what a fresh one would hold of their edition, whenever that comes and goes, and shares what is equal", () => {
		fc.assert(
			fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), (edits) => {
				const current = new Map<string, ApiObject>();
				const catalog = new Catalog();
				let built = buildMesh(objects());
				catalog.update(built.mesh);
				const attach = (software: string) =>
					proxies.map(([proxy, variant]) => {
						const { resources, release } = catalog.attach(
							{ ...proxy, software },
							variant,
						);
						const named = new Set<string>();
						resources.subscribe((changed) => {
							for (const [type, names] of changed) {
								for (const one of names) named.add(`${type} ${one}`);
							}
						});
						return { proxy, variant, resources, named, release };
					});
				const old = attach("old");
				const usual = attach("new");
				// What came to be in different scopes is made twice, also where it is equal later.
				let sameScopes = true;
				for (const { put, remove, withheld } of edits) {
					for (const one of put) {
						const { namespace, name } = one.metadata;
						current.set(`${one.kind}/${namespace}/${name}`, one);
					}
					if (remove !== undefined && current.size > 0) {
						const keys = [...current.keys()];
						current.delete(keys[remove % keys.length] ?? "");
					}
					const before = old.map(({ resources }) =>
						versions((type) => all(resources, type)),
					);
					for (const { named } of old) named.clear();
					const now = objects(...current.values());
					built = buildMesh(now, built);
					const edition = withheld && editionWithout(withheld, now, built);
					catalog.update(built.mesh, edition ? [edition] : []);
					const fresh = buildMesh(edition?.objects ?? now).mesh;
					// Rules that ask for other facts about callers make other scopes.
					const sameFacts = deepEqual(
						(edition ?? built).mesh.callerFacts,
						built.mesh.callerFacts,
					);
					sameScopes = edition === undefined || (sameScopes && sameFacts);
					for (const [index, one] of old.entries()) {
						const held = versions((type) => all(one.resources, type));
						const rendered = renderProxy(fresh, one.proxy, one.variant);
						expect(held).to.deep.equal(
							versions((type) => rendered.get(type) ?? []),
						);
						expect([...one.named]).to.include.members(
							differing(before[index] ?? new Map(), held),
						);
						expectShared(
							sameScopes
								? ["cluster", "endpoint", "virtualHost", "route"]
								: ["cluster", "endpoint"],
							one.resources,
							usual[index]?.resources,
						);
					}
				}
				for (const { release } of [...old, ...usual]) release();
				catalog.update(built.mesh);
				expect(catalog.scopes).to.equal(0);
				expect(catalog.editions).to.equal(0);
				expect(catalog.distribution.isEmpty).to.equal(true);
			}),
			{ numRuns: 100 },
		);
	});

	it("answers by software and by workload, and gRPC clients never from an edition", () => {
		const all = objects(service("x"), routeRule("x", { timeout: "3s" }));
		const built = buildMesh(all);
		const edition = editionWithout(["x"], all, built);
		const one: MeshEdition = {
			...edition,
			id: "one",
			software: new Set(),
			proxies: new Set(["default/asked"]),
			mesh: built.mesh,
		};
		const catalog = new Catalog();
		catalog.update(built.mesh, [edition, one]);
		const timeoutOf = (proxy: Proxy) =>
			catalog
				.attach(proxy, "delta")
				.resources.get(
					"virtualHost",
					"outbound/x.default.svc.cluster.local:9080",
				)?.origins.length;
		const old = { software: "old" };
		const usual = timeoutOf(sidecar("default/a"));
		expect(timeoutOf(sidecar("default/a", old))).to.equal((usual ?? 0) - 1);
		expect(timeoutOf(sidecar("default/asked", old))).to.equal(usual);
		expect(timeoutOf(sidecar("default/a", { ...old, kind: "grpc" }))).to.equal(
			usual,
		);
		expect(catalog.editionOf("old", "default/asked")).to.equal("one");
		expect(catalog.editionOf("old", "default/a")).to.equal("old");
		expect(catalog.editionOf("new", "default/a")).to.equal("");
	});

	it("makes one virtual host for all callers to whom the same rules apply", () => {
		const { mesh } = buildMesh(
			objects(
				service("x"),
				routeRule("x", { match: [{ source: { labels: { app: "a" } } }] }),
			),
		);
		const catalog = new Catalog();
		catalog.update(mesh);
		const host = (workload: string) =>
			catalog
				.attach(sidecar(workload), "delta")
				.resources.get(
					"virtualHost",
					"outbound/x.default.svc.cluster.local:9080",
				);
		expect(host("default/one")).to.equal(host("default/two"));
		expect(catalog.scopes).to.equal(1);
	});

	it("forgets a scope when its last proxy is gone", () => {
		const catalog = new Catalog();
		catalog.update(buildMesh(objects()).mesh);
		const one = catalog.attach(sidecar("default/a"), "delta");
		const two = catalog.attach(sidecar("default/b"), "delta");
		one.release();
		one.release();
		expect(catalog.scopes).to.equal(1);
		two.release();
		expect(catalog.scopes).to.equal(0);
	});
});

function all(
	resources: {
		names(type: ResourceType): Iterable<string>;
		get(type: ResourceType, name: string): Resource | undefined;
	},
	type: ResourceType,
): Resource[] {
	return [...resources.names(type)].flatMap(
		(name) => resources.get(type, name) ?? [],
	);
}

/** What two proxies share with others is the same object where it is equal. */
function expectShared(
	types: readonly ResourceType[],
	one: ProxyResources,
	other: ProxyResources | undefined,
): void {
	for (const type of types) {
		for (const name of one.names(type)) {
			const mine = one.get(type, name);
			const theirs = other?.get(type, name);
			if (mine?.version !== theirs?.version) continue;
			if (!deepEqual(mine?.origins, theirs?.origins)) continue;
			expect(mine === theirs, `${type} ${name}`).to.equal(true);
		}
	}
}

function versions(
	of: (type: ResourceType) => readonly Resource[],
): Map<string, string> {
	const entries = sendOrder.flatMap((type) =>
		of(type).map((resource): [string, string] => [
			`${type} ${resource.name}`,
			resource.version,
		]),
	);
	return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function differing(
	before: ReadonlyMap<string, string>,
	now: ReadonlyMap<string, string>,
): string[] {
	return [...new Set([...before.keys(), ...now.keys()])]
		.filter((key) => before.get(key) !== now.get(key))
		.sort();
}
