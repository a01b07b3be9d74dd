import { expect } from "chai";
import fc from "fast-check";
import {
	endpointSlice,
	objects,
	pod,
	routeRule,
	service,
} from "../../../test/testkit/objects.ts";
import type { ObjectRef } from "../../api/object-ref.ts";
import type { ApiObject, Objects } from "../../api/objects.ts";
import { buildMesh, type MeshBuild } from "../../mesh/build.ts";
import type { MeshEdition, Withheld } from "../../mesh/editions.ts";
import type { Proxy } from "../proxy.ts";
import type { AttachedProxy } from "../proxy-directory.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";
import { Catalog } from "./catalog.ts";
import type { HeldView } from "./distribution.ts";

/** A proxy that acknowledges when it is told to. */
class SlowProxy {
	readonly workload: string;
	readonly software: string;
	readonly #attached: AttachedProxy;
	/** What it would have if nothing were withheld. */
	readonly #full: AttachedProxy;
	readonly #held = new Map<string, string>();
	counted = false;

	constructor(catalog: Catalog, workload: string, software: string) {
		this.workload = workload;
		this.software = software;
		const proxy: Proxy = {
			workload,
			id: `sidecar~${workload}`,
			kind: "sidecar",
			attachment: "explicit",
			addresses: {
				outbound: "127.0.0.1:15001",
				inbound: [],
				tcp: [],
				gateway: [],
			},
		};
		this.#attached = catalog.attach({ ...proxy, software }, "delta");
		this.#full = catalog.attach(proxy, "delta");
	}

	/** Has everything of some types that is current now. */
	acknowledge(types: readonly ResourceType[]): void {
		const gained: string[] = [];
		const lost: string[] = [];
		for (const type of types) {
			const current = new Map(this.current(type));
			for (const [key, version] of [...this.#held]) {
				if (!key.startsWith(`${type} `)) continue;
				if (current.get(key) === version) continue;
				lost.push(version);
				this.#held.delete(key);
			}
			for (const [key, version] of current) {
				if (this.#held.get(key) === version) continue;
				gained.push(version);
				this.#held.set(key, version);
			}
		}
		this.#attached.held(gained, lost);
	}

	count(): void {
		const view: HeldView = {
			version: (type, name) => this.#held.get(`${type} ${name}`),
			lacked: (type, all) =>
				[...all.values()].filter(
					({ name, version }) => this.#held.get(`${type} ${name}`) !== version,
				),
			rejection: () => undefined,
		};
		this.counted = true;
		this.#attached.count(view);
	}

	disconnect(): void {
		this.#attached.release();
		this.#full.release();
		this.counted = false;
	}

	*current(type: ResourceType): Iterable<[key: string, version: string]> {
		for (const name of this.#attached.resources.names(type)) {
			const resource = this.#attached.resources.get(type, name);
			if (resource) yield [`${type} ${name}`, resource.version];
		}
	}

	/** Whether it lacks something that carries the object; looked up without any counter. */
	lacks(ref: ObjectRef): boolean {
		return this.#carrying(ref).some(
			([key, version]) => this.#held.get(key) !== version,
		);
	}

	needs(ref: ObjectRef): boolean {
		return this.#carrying(ref).length > 0;
	}

	/** Whether it would need the object if nothing were withheld. */
	wouldNeed(ref: ObjectRef): boolean {
		return this.#carrying(ref, this.#full).length > 0;
	}

	#carrying(
		ref: ObjectRef,
		{ resources }: AttachedProxy = this.#attached,
	): [string, string][] {
		return sendOrder.flatMap((type) =>
			[...resources.names(type)].flatMap((name): [string, string][] => {
				const resource = resources.get(type, name);
				const carries = resource?.origins.some(
					(origin) => origin.kind === ref.kind && origin.name === ref.name,
				);
				return resource && carries
					? [[`${type} ${name}`, resource.version]]
					: [];
			}),
		);
	}
}

const name = fc.constantFrom("x", "y");
const edit: fc.Arbitrary<ApiObject> = fc.oneof(
	name.map((n) => service(n)),
	fc
		.record({ n: name, last: fc.integer({ min: 1, max: 3 }) })
		.map(({ n, last }) => endpointSlice(n, { endpoints: [`10.0.0.${last}`] })),
	fc
		.record({
			n: name,
			to: name,
			path: fc.constantFrom("/a", "/b"),
			version: fc.option(fc.constantFrom("v1", "v2"), { nil: undefined }),
		})
		.map(({ n, to, path, version }) =>
			routeRule(n, {
				destination: { name: to },
				match: [
					{ path, ...(version ? { source: { labels: { version } } } : {}) },
				],
			}),
		),
	fc
		.record({
			n: fc.constantFrom("a", "b"),
			version: fc.constantFrom("v1", "v2"),
		})
		.map(({ n, version }) => pod(n, {}, { labels: { version } })),
);

type Step =
	| { readonly op: "edit"; readonly object: ApiObject }
	| { readonly op: "remove"; readonly at: number }
	| {
			readonly op: "connect";
			readonly workload: string;
			readonly software: string;
	  }
	/** From now on old proxies get these rules in an older form, or not at all. */
	| {
			readonly op: "withhold";
			readonly names: readonly string[];
			readonly hasOlder: boolean;
			readonly isRefused: boolean;
	  }
	| {
			readonly op: "count" | "disconnect";
			readonly at: number;
	  }
	| {
			readonly op: "acknowledge";
			readonly at: number;
			readonly types: readonly ResourceType[];
	  };

const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 4,
		arbitrary: edit.map((object): Step => ({ op: "edit", object })),
	},
	fc.nat(20).map((at): Step => ({ op: "remove", at })),
	fc
		.record({
			workload: fc.constantFrom("default/a", "default/b", "other/c"),
			software: fc.constantFrom("old", "new"),
		})
		.map((one): Step => ({ op: "connect", ...one })),
	fc
		.record({
			names: fc.subarray(["x", "y"]),
			hasOlder: fc.boolean(),
			isRefused: fc.boolean(),
		})
		.map((one): Step => ({ op: "withhold", ...one })),
	fc.nat(2).map((at): Step => ({ op: "count", at })),
	fc.nat(2).map((at): Step => ({ op: "disconnect", at })),
	{
		weight: 4,
		arbitrary: fc
			.record({ at: fc.nat(2), types: fc.subarray([...sendOrder]) })
			.map((one): Step => ({ op: "acknowledge", ...one })),
	},
);

/** The edition for old proxies. */
function editionOf(
	{ names, hasOlder, isRefused }: Step & { readonly op: "withhold" },
	all: Objects,
	build: MeshBuild,
): MeshEdition {
	const rules = new Map(all.RouteRule);
	const withheld: Withheld[] = [];
	for (const [key, rule] of all.RouteRule) {
		const { namespace, name } = rule.metadata;
		if (!names.includes(name)) continue;
		if (hasOlder) {
			const { destination } = rule.spec;
			const to = destination?.name ?? "";
			rules.set(
				key,
				routeRule(name, {
					destination: { name: to },
					match: [{ path: "/older" }],
				}),
			);
		} else rules.delete(key);
		withheld.push({
			ref: { kind: "RouteRule", namespace, name },
			rejections: isRefused ? [{ proxy: "default/a", message: "no" }] : [],
		});
	}
	const without = { ...all, RouteRule: rules };
	return {
		id: "old",
		software: new Set(["old"]),
		proxies: new Set(),
		objects: without,
		withheld,
		mesh: buildMesh(without, build).mesh,
	};
}

describe("Distribution", () => {
	it("says that an object is everywhere exactly when every counted proxy has all of it, and tells when that changes", () => {
		fc.assert(
			fc.property(
				fc.array(step, { minLength: 5, maxLength: 40, size: "max" }),
				(steps) => {
					const current = new Map<string, ApiObject>();
					const catalog = new Catalog();
					let build: MeshBuild = buildMesh(objects());
					catalog.update(build.mesh);
					let proxies: SlowProxy[] = [];
					let withhold: (Step & { readonly op: "withhold" }) | undefined;
					const told = new Set<string>();
					catalog.distribution.subscribe((refs) => {
						for (const ref of refs) told.add(`${ref.kind} ${ref.name}`);
					});
					const before = new Map<string, boolean>();
					for (const one of steps) {
						told.clear();
						switch (one.op) {
							case "edit": {
								const { kind, metadata } = one.object;
								current.set(`${kind} ${metadata.name}`, one.object);
								break;
							}
							case "remove": {
								const keys = [...current.keys()];
								current.delete(keys[one.at % (keys.length || 1)] ?? "");
								break;
							}
							case "connect":
								proxies.push(
									new SlowProxy(catalog, one.workload, one.software),
								);
								break;
							case "withhold":
								withhold = one.names.length === 0 ? undefined : one;
								break;
							case "count":
								proxies[one.at]?.count();
								break;
							case "acknowledge":
								proxies[one.at]?.acknowledge(one.types);
								break;
							case "disconnect": {
								const gone = proxies[one.at];
								gone?.disconnect();
								proxies = proxies.filter((proxy) => proxy !== gone);
								break;
							}
						}
						for (const key of before.keys()) {
							if (!current.has(key)) before.delete(key);
						}
						const all = objects(...current.values());
						build = buildMesh(all, build);
						const edition = withhold && editionOf(withhold, all, build);
						catalog.update(build.mesh, edition ? [edition] : []);
						for (const { kind, metadata } of current.values()) {
							const ref = { kind, namespace: "default", name: metadata.name };
							const counted = proxies.filter((proxy) => proxy.counted);
							const isWithheld =
								kind === "RouteRule" &&
								withhold?.names.includes(metadata.name) === true;
							const without = counted.filter(
								({ software }) => isWithheld && software === "old",
							);
							const served = counted.filter((one) => !without.includes(one));
							const everywhere =
								!isWithheld && counted.every((proxy) => !proxy.lacks(ref));
							expect(catalog.distribution.isEverywhere(ref)).to.equal(
								everywhere,
							);
							const reach = catalog.distribution.reachOf(ref);
							const deprived = without.filter((one) => one.wouldNeed(ref));
							const needing = served.filter((one) => one.needs(ref));
							expect(reach.total).to.equal(needing.length + deprived.length);
							expect(reach.acknowledged).to.equal(
								needing.filter((proxy) => !proxy.lacks(ref)).length,
							);
							expect(reach.rejected).to.equal(
								withhold?.isRefused ? deprived.length : 0,
							);
							expect(reach.rejections).to.have.length(
								Math.min(reach.rejected, 1),
							);
							const key = `${kind} ${metadata.name}`;
							if ((before.get(key) ?? true) !== everywhere) {
								expect([...told]).to.include(key);
							}
							before.set(key, everywhere);
						}
					}
					for (const proxy of proxies) proxy.disconnect();
					expect(catalog.distribution.isEmpty).to.equal(true);
				},
			),
			{ numRuns: 300 },
		);
	});
});
