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
import type { ApiObject } from "../../api/objects.ts";
import { buildMesh } from "../../mesh/build.ts";
import type { Proxy } from "../proxy.ts";
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
});

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
