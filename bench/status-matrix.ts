import type { ObjectRef } from "../src/api/object-ref.ts";
import type { ApiObject } from "../src/api/objects.ts";
import { buildMesh } from "../src/mesh/build.ts";
import { Catalog } from "../src/xds/catalog/catalog.ts";
import type { AttachedProxy } from "../src/xds/proxy-directory.ts";
import { sendOrder } from "../src/xds/resource-type.ts";
import {
	endpointSlice,
	objects,
	pod,
	routeRule,
	service,
} from "../test/testkit/objects.ts";

/** What knowing about many objects on many proxies costs, in milliseconds. */
export interface MatrixCost {
	/** Every proxy has everything for the first time; all together. */
	readonly joinMs: number;
	/** How far every object has come, when all have come everywhere. */
	readonly completeMs: number;
	/** The same after every rule has changed and nobody has answered. */
	readonly nobodyMs: number;
	/** The same when half of the proxies have answered. */
	readonly halfMs: number;
	/** All proxies acknowledge all changes; all together. */
	readonly acknowledgeMs: number;
	/** Every proxy leaves; all together. */
	readonly leaveMs: number;
}

/** Measures one rule for each of this many services on this many proxies that all need all of them. */
export function measureMatrix(rules: number, proxies: number): MatrixCost {
	const names = Array.from({ length: rules }, (_, index) => `s${index}`);
	const fixed: readonly ApiObject[] = names.flatMap((name) => [
		service(name),
		endpointSlice(name, { endpoints: ["10.0.0.1"] }),
	]);
	const refs = names.map(
		(name): ObjectRef => ({ kind: "RouteRule", namespace: "default", name }),
	);
	const withRules = (mark: string) =>
		objects(
			pod("client", {}),
			...fixed,
			...names.map((name) =>
				routeRule(name, {
					headers: { response: { set: { "x-mark": mark } } },
				}),
			),
		);
	const catalog = new Catalog();
	const first = buildMesh(withRules("first"));
	catalog.update(first.mesh);
	const attached = Array.from(
		{ length: proxies },
		(_, index) => new MatrixProxy(catalog, `default/p${index}`),
	);
	const look = (): number =>
		timed(() => {
			for (const ref of refs) catalog.distribution.reachOf(ref);
		});

	const joinMs = timed(() => {
		for (const proxy of attached) proxy.join();
	});
	const completeMs = look();
	catalog.update(buildMesh(withRules("second"), first).mesh);
	const nobodyMs = look();
	const half = attached.slice(0, proxies / 2);
	const rest = attached.slice(proxies / 2);
	const firstHalfMs = timed(() => {
		for (const proxy of half) proxy.acknowledge();
	});
	const halfMs = look();
	const secondHalfMs = timed(() => {
		for (const proxy of rest) proxy.acknowledge();
	});
	for (const ref of refs) {
		const { total, acknowledged } = catalog.distribution.reachOf(ref);
		if (total !== proxies || acknowledged !== proxies)
			throw new Error(`${ref.name} is on ${acknowledged} of ${total} proxies.`);
	}
	const leaveMs = timed(() => {
		for (const proxy of attached) proxy.leave();
	});
	return {
		joinMs,
		completeMs,
		nobodyMs,
		halfMs,
		acknowledgeMs: firstHalfMs + secondHalfMs,
		leaveMs,
	};
}

/** A proxy that takes everything that there is when it is told to. */
class MatrixProxy {
	readonly #attached: AttachedProxy;
	#has: ReadonlyMap<string, string>;

	constructor(catalog: Catalog, workload: string) {
		this.#attached = catalog.attach(
			{
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
			},
			"delta",
		);
		this.#has = this.#current();
	}

	join(): void {
		this.#attached.count({
			version: (type, name) => this.#has.get(`${type} ${name}`),
			lacked: (type, all) =>
				[...all.values()].filter(
					({ name, version }) => this.#has.get(`${type} ${name}`) !== version,
				),
			rejection: () => undefined,
		});
	}

	acknowledge(): void {
		const before = this.#has;
		const now = this.#current();
		const gained: string[] = [];
		const lost: string[] = [];
		for (const [key, version] of now) {
			const old = before.get(key);
			if (old === version) continue;
			gained.push(version);
			if (old !== undefined) lost.push(old);
		}
		this.#has = now;
		this.#attached.held(gained, lost);
	}

	leave(): void {
		this.#attached.release();
	}

	#current(): ReadonlyMap<string, string> {
		const { resources } = this.#attached;
		const current = new Map<string, string>();
		for (const type of sendOrder) {
			for (const name of resources.names(type)) {
				const version = resources.get(type, name)?.version;
				if (version !== undefined) current.set(`${type} ${name}`, version);
			}
		}
		return current;
	}
}

function timed(work: () => void): number {
	const startMs = performance.now();
	work();
	return performance.now() - startMs;
}
