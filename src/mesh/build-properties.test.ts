import { isDeepStrictEqual } from "node:util";
import { expect } from "chai";
import fc from "fast-check";
import {
	endpointSlice,
	externalService,
	mesh,
	node,
	objects,
	pod,
	routeRule,
	service,
} from "../../test/testkit/objects.ts";
import { type ObjectRef, objectKey } from "../api/object-ref.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import { buildMesh, type MeshBuild } from "./build.ts";

const namespace = fc.constantFrom("a", "b", "lateen-system");
const shortName = fc.constantFrom("x", "y", "z");
const name = fc.tuple(namespace, shortName).map((parts) => parts.join("/"));
const version = fc.constantFrom("v1", "v2");
const ip = fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1");
const host = fc.constantFrom(
	"api.example.com",
	"*.example.com",
	"*.com",
	"x",
	"x.a",
	"y.b.svc.cluster.local",
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) =>
	fc.option(arbitrary, { nil: undefined });
const createdMs = fc.constantFrom(0, 1, 2);
const labels = fc.record({ app: shortName, version });

/** Drops fields that are undefined, as parsing does. */
function defined<T extends object>(
	fields: T,
): { [K in keyof T]: Exclude<T[K], undefined> } {
	return Object.fromEntries(
		Object.entries(fields).filter(([, value]) => value !== undefined),
	) as { [K in keyof T]: Exclude<T[K], undefined> };
}

const destination = fc.oneof(
	fc
		.record({
			name: shortName,
			namespace: maybe(namespace),
			port: maybe(fc.constantFrom<(number | string)[]>(80, 81, "http", "tcp")),
		})
		.map(defined),
	fc
		.record({
			host: fc.constantFrom("api.example.com", "*.example.com", "b.com"),
			port: maybe(fc.constant(80)),
		})
		.map(defined),
);

const stringMatch = fc.oneof(
	fc.constantFrom("/", "/a", "/ab"),
	fc.record({ prefix: fc.constantFrom("/", "/a", "/ab") }),
	fc.constant({ present: true }),
);

const match = fc
	.record({
		source: maybe(
			fc
				.record({
					name: maybe(shortName),
					namespace: maybe(namespace),
					labels: maybe(fc.record({ version })),
				})
				.map(defined),
		),
		path: maybe(stringMatch),
		headers: maybe(fc.record({ Cookie: stringMatch })),
		port: maybe(fc.constantFrom(80, 81)),
	})
	.map(defined);

const tcpMatch = fc.constant({ tcp: { sni: ["db.example.com"] } });

const object: fc.Arbitrary<ApiObject> = fc.oneof(
	fc
		.tuple(
			name,
			fc.record({
				clusterIPs: fc.uniqueArray(ip, { maxLength: 2 }),
				headless: fc.boolean(),
				selector: fc.oneof(
					fc.constant({}),
					fc.record({ app: shortName }),
					labels,
				),
				ports: fc.uniqueArray(
					fc.constantFrom(
						{ port: 80, name: "http", targetPort: "web" },
						{ port: 81, name: "tcp", targetPort: 9001 },
						{ port: 82, name: "", targetPort: 82 },
						{ port: 53, name: "dns", protocol: "UDP" as const },
					),
					{ maxLength: 3 },
				),
			}),
			createdMs,
		)
		.map(([n, fields, created]) => service(n, fields, { createdMs: created })),
	fc
		.tuple(
			name,
			shortName,
			fc.constantFrom("IPv4" as const, "IPv6" as const, "FQDN" as const),
			fc.array(
				fc
					.record({
						addresses: fc.array(ip, { minLength: 1, maxLength: 1 }),
						ready: fc.boolean(),
						serving: fc.boolean(),
						terminating: fc.boolean(),
						pod: maybe(shortName),
						nodeName: maybe(fc.constant("n")),
						zone: maybe(fc.constant("eu-1")),
					})
					.map(defined),
				{ maxLength: 3 },
			),
			fc.constantFrom("endpointslice-controller.k8s.io", "me"),
		)
		.map(([n, serviceName, addressType, endpoints, managedBy]) =>
			endpointSlice(
				n,
				{
					serviceName,
					addressType,
					endpoints,
					ports: [{ name: "http", port: 8080 }],
				},
				{
					labels: {
						version: "v1",
						"kubernetes.io/service-name": "x",
						"endpointslice.kubernetes.io/managed-by": managedBy,
					},
				},
			),
		),
	fc
		.tuple(
			name,
			labels,
			fc.array(ip, { maxLength: 2 }),
			maybe(fc.constant("n")),
			fc.boolean(),
		)
		.map(([n, own, ips, nodeName, terminating]) =>
			pod(
				n,
				{
					ips,
					terminating,
					...(nodeName !== undefined && { nodeName }),
					ports: [{ name: "web", containerPort: 8080 }],
				},
				{ labels: own },
			),
		),
	fc.constantFrom("eu", "us").map((region) => node("n", region, `${region}-1`)),
	fc
		.tuple(
			name,
			fc
				.record({
					hosts: fc.uniqueArray(host, { minLength: 1, maxLength: 2 }),
					addresses: maybe(fc.uniqueArray(ip, { maxLength: 2 })),
					resolution: fc.constantFrom(
						"None" as const,
						"Static" as const,
						"DNS" as const,
					),
					endpoints: maybe(
						fc.array(
							fc.record({
								address: fc.constantFrom("192.0.2.1", "one.example.org"),
								labels: fc.record({ version }),
							}),
							{ maxLength: 2 },
						),
					),
				})
				.map(defined),
			createdMs,
		)
		.map(([n, fields, created]) =>
			externalService(n, fields, { createdMs: created }),
		),
	fc
		.tuple(
			name,
			fc
				.record({
					destination,
					precedence: fc.constantFrom(0, 1),
					gateways: maybe(
						fc.uniqueArray(fc.constantFrom("edge", "a/edge"), { maxLength: 2 }),
					),
					match: maybe(
						fc.oneof(
							{ weight: 5, arbitrary: fc.array(match, { maxLength: 2 }) },
							{ weight: 1, arbitrary: fc.array(tcpMatch, { maxLength: 1 }) },
						),
					),
					route: maybe(
						fc.array(
							fc
								.record({
									destination: maybe(destination),
									labels: maybe(fc.record({ version })),
									weight: fc.constantFrom(0, 1, 3),
								})
								.map(defined),
							{ maxLength: 2 },
						),
					),
					mirror: maybe(fc.array(fc.record({ destination }), { maxLength: 1 })),
					timeout: maybe(fc.constant("3s")),
					affinity: maybe(fc.constant({ header: "x-user" })),
				})
				.map(defined),
			createdMs,
		)
		.map(([n, fields, created]) =>
			routeRule(n, fields, { createdMs: created }),
		),
	fc
		.tuple(
			fc.constantFrom("cluster.local", "example.org"),
			fc.constantFrom("a", "lateen-system"),
			fc.constantFrom("default", "other"),
		)
		.map(([clusterDomain, rootNamespace, n]) =>
			mesh({ clusterDomain, trustDomain: clusterDomain, rootNamespace }, n),
		),
);

const world = fc.array(object, { maxLength: 30 });

/** Like `JSON.stringify`, but maps and sets in their order: equal texts are equal values in equal order. */
function print(value: unknown): string {
	return JSON.stringify(value, (_key, part: unknown) =>
		part instanceof Map || part instanceof Set ? { entries: [...part] } : part,
	);
}

function printBuild({ mesh, findings }: MeshBuild): string {
	return print({ mesh, findings });
}

type Edit =
	| { readonly op: "put"; readonly object: ApiObject }
	| { readonly op: "delete"; readonly pick: number };

const edit: fc.Arbitrary<Edit> = fc.oneof(
	{
		weight: 3,
		arbitrary: object.map((o): Edit => ({ op: "put", object: o })),
	},
	{
		weight: 1,
		arbitrary: fc.nat().map((pick): Edit => ({ op: "delete", pick })),
	},
);

function apply(before: Objects, edit: Edit): Objects {
	const kinds = Object.keys(before) as (keyof Objects)[];
	if (edit.op === "put") {
		const { kind, metadata } = edit.object;
		const map = new Map<string, ApiObject>(before[kind]);
		map.set(objectKey(metadata), edit.object);
		return { ...before, [kind]: map };
	}
	const all = kinds.flatMap((kind) =>
		[...before[kind].keys()].map((key) => ({ kind, key })),
	);
	const victim = all[edit.pick % Math.max(all.length, 1)];
	if (victim === undefined) return before;
	const map = new Map<string, ApiObject>(before[victim.kind]);
	map.delete(victim.key);
	return { ...before, [victim.kind]: map };
}

/** Paths at which `after` has an equal but not the same value as `before`. */
function copies(before: unknown, after: unknown, path: string): string[] {
	if (
		before === after ||
		typeof before !== "object" ||
		typeof after !== "object"
	)
		return [];
	if (isDeepStrictEqual(before, after)) return [path];
	const old = new Map(partsOf(before));
	return partsOf(after).flatMap(([key, value]) =>
		copies(old.get(key), value, `${path}.${key}`),
	);
}

/** The parts of a value, each under what makes it the same part in another value. */
function partsOf(
	value: object | null,
): readonly (readonly [string, unknown])[] {
	if (value instanceof Map) return [...value];
	if (Array.isArray(value))
		return value.map((item) => [identityOf(item), item]);
	return Object.entries(value ?? {});
}

function identityOf(item: unknown): string {
	if (typeof item === "object" && item !== null) {
		if ("origin" in item) return objectKey(item.origin as ObjectRef);
		if ("rules" in item && "hostname" in item && "port" in item) {
			return `${item.hostname}:${item.port}`;
		}
	}
	return print(item);
}

describe("buildMesh, whatever the objects", () => {
	it("does not depend on the order of its input", () => {
		fc.assert(
			fc.property(
				world.chain((list) =>
					fc.tuple(
						fc.constant(list),
						fc.shuffledSubarray(list, { minLength: list.length }),
					),
				),
				([list, shuffled]) => {
					const all = objects(...list);
					// Of several objects of one key the last counts, so the keys are settled first.
					const settled = new Set(
						Object.values(all).flatMap((map) => [...map.values()]),
					);
					const other = objects(...shuffled.filter((o) => settled.has(o)));
					expect(printBuild(buildMesh(other))).to.equal(
						printBuild(buildMesh(all)),
					);
				},
			),
			{ numRuns: 300 },
		);
	});

	it("makes the same of a change as of a fresh start, and shares what did not change", () => {
		fc.assert(
			fc.property(
				world,
				fc.array(edit, { minLength: 1, maxLength: 12 }),
				(list, edits) => {
					let current = objects(...list);
					let build = buildMesh(current);
					for (const step of edits) {
						const next = apply(current, step);
						const changed = buildMesh(next, build);
						expect(printBuild(changed)).to.equal(printBuild(buildMesh(next)));
						expect(copies(build.mesh, changed.mesh, "mesh")).to.deep.equal([]);
						current = next;
						build = changed;
					}
				},
			),
			{ numRuns: 300 },
		);
	});

	it("keeps every reference when equal objects are read again", () => {
		fc.assert(
			fc.property(world, (list) => {
				const build = buildMesh(objects(...list));
				const again = buildMesh(objects(...structuredClone(list)), build);
				expect(again.mesh).to.equal(build.mesh);
				expect(again.findings).to.equal(build.findings);
			}),
			{ numRuns: 200 },
		);
	});
});
