import { expect } from "chai";
import fc from "fast-check";
import {
	type MemoryChange,
	MemoryResources,
	resource,
} from "../../../test/testkit/memory-resources.ts";
import {
	SimulatedEnvoy,
	type SimulationOptions,
	tableOf,
	target,
} from "../../../test/testkit/simulated-envoy.ts";
import { type ResourceType, sendOrder } from "../resource-type.ts";

/** A mesh in small: what points where. Every cluster has endpoints. */
interface SmallMesh {
	/** Cluster and its version. */
	readonly clusters: ReadonlyMap<number, number>;
	/** Version of the endpoints of each cluster. */
	readonly endpoints: readonly number[];
	/** Listener, to its route configuration. */
	readonly listeners: ReadonlyMap<number, number>;
	/** Virtual hosts of each route configuration: number, version, and a number that picks one of the clusters. */
	readonly hosts: readonly (readonly [
		table: number,
		host: number,
		version: number,
		pick: number,
	])[];
}

const tables = 3;
const small = fc.nat({ max: 2 });

const mesh: fc.Arbitrary<SmallMesh> = fc.record({
	clusters: fc
		.array(fc.tuple(fc.nat({ max: 3 }), small), { minLength: 1, maxLength: 4 })
		.map((pairs) => new Map(pairs)),
	endpoints: fc.tuple(small, small, small, small),
	listeners: fc
		.array(fc.tuple(small, fc.nat({ max: tables - 1 })), { maxLength: 3 })
		.map((pairs) => new Map(pairs)),
	hosts: fc.array(
		fc.tuple(fc.nat({ max: tables - 1 }), small, small, fc.nat({ max: 3 })),
		{ maxLength: 6 },
	),
});

/** All resources of a mesh, version by name. `salt` makes all of them new. */
function resourcesOf(
	{ clusters, endpoints, listeners, hosts }: SmallMesh,
	salt: string,
): ReadonlyMap<ResourceType, ReadonlyMap<string, string>> {
	const names = [...clusters.keys()];
	return new Map<ResourceType, Map<string, string>>([
		[
			"cluster",
			new Map([...clusters].map(([c, v]) => [`c${c}`, `${salt}${v}`])),
		],
		[
			"endpoint",
			new Map(names.map((c) => [`c${c}`, `${salt}${endpoints[c] ?? 0}`])),
		],
		[
			"listener",
			new Map(
				[...listeners].map(([l, table]) => [`l${l}`, `${salt}>r${table}`]),
			),
		],
		[
			"route",
			new Map([...listeners.values()].map((table) => [`r${table}`, salt])),
		],
		[
			"virtualHost",
			new Map(
				hosts
					.filter(([table]) => [...listeners.values()].includes(table))
					.map(([table, host, version, pick]) => [
						`r${table}/h${host}`,
						`${salt}${version}>c${names[pick % names.length]}`,
					]),
			),
		],
	]);
}

/** Makes `all` everything that there is, in one change. */
function become(
	resources: MemoryResources,
	all: ReadonlyMap<ResourceType, ReadonlyMap<string, string>>,
): void {
	const changes: MemoryChange[] = [];
	for (const [type, versions] of all) {
		for (const name of resources.names(type)) {
			if (!versions.has(name)) changes.push({ type, remove: name });
		}
		for (const [name, version] of versions) {
			if (resources.get(type, name)?.version === version) continue;
			changes.push({ type, put: resource(name, version) });
		}
	}
	resources.change(changes);
}

type Step =
	| { readonly op: "become"; readonly mesh: SmallMesh }
	| { readonly op: "request" | "reconnect" }
	| { readonly op: "response"; readonly refuse: boolean }
	| { readonly op: "wait"; readonly ms: number };

const step = (mayRefuse: boolean): fc.Arbitrary<Step> =>
	fc.oneof(
		{
			weight: 3,
			arbitrary: fc.record({ op: fc.constant("become" as const), mesh }),
		},
		{ weight: 8, arbitrary: fc.constant({ op: "request" as const }) },
		{
			weight: 8,
			arbitrary: fc.record({
				op: fc.constant("response" as const),
				refuse: mayRefuse
					? fc.integer({ min: 0, max: 3 }).map((roll) => roll === 0)
					: fc.constant(false),
			}),
		},
		{ weight: 1, arbitrary: fc.constant({ op: "reconnect" as const }) },
		{
			weight: 2,
			arbitrary: fc.record({
				op: fc.constant("wait" as const),
				ms: fc.nat({ max: 100 }),
			}),
		},
	);

function run(
	resources: MemoryResources,
	envoy: SimulatedEnvoy,
	steps: readonly Step[],
	refusable: readonly ResourceType[],
): void {
	for (const one of steps) {
		switch (one.op) {
			case "become":
				become(resources, resourcesOf(one.mesh, ""));
				break;
			case "request":
				envoy.deliverRequest();
				break;
			case "response":
				envoy.deliverResponse(one.refuse ? refusable : []);
				break;
			case "reconnect":
				envoy.reconnect();
				break;
			case "wait":
				envoy.nowMs += one.ms;
				envoy.pump();
				break;
		}
	}
}

/** What a proxy that has caught up has: everything its clusters and listeners lead to. */
function expected(
	all: ReadonlyMap<ResourceType, ReadonlyMap<string, string>>,
): object {
	const of = (type: ResourceType) => all.get(type) ?? new Map<string, string>();
	const routes = new Set([...of("listener").values()].map(target));
	return {
		cluster: of("cluster"),
		endpoint: of("endpoint"),
		listener: of("listener"),
		route: of("route"),
		virtualHost: new Map(
			[...of("virtualHost")].filter(([name]) => routes.has(tableOf(name))),
		),
	};
}

const noEndpointChanges: SmallMesh["endpoints"] = [0, 0, 0, 0];

/** A proxy reconnects, has to be sent virtual hosts in two responses, and what is in the second goes before its turn has come. */
const goneWhileApart: readonly [
	SmallMesh,
	boolean,
	readonly Step[],
	SmallMesh,
] = [
	{
		clusters: new Map([[1, 0]]),
		endpoints: noEndpointChanges,
		listeners: new Map([[0, 0]]),
		hosts: [[0, 1, 0, 0]],
	},
	true,
	[
		{
			op: "become",
			mesh: {
				clusters: new Map([[0, 0]]),
				endpoints: noEndpointChanges,
				listeners: new Map([[0, 0]]),
				hosts: [
					[0, 0, 0, 0],
					[0, 1, 2, 0],
				],
			},
		},
		{ op: "reconnect" },
		...(["request", "request", "request"] as const).map((op) => ({ op })),
		{ op: "response", refuse: false },
		...(["request", "request", "request"] as const).map((op) => ({ op })),
		{ op: "wait", ms: 1 },
	],
	{
		clusters: new Map([[0, 0]]),
		endpoints: noEndpointChanges,
		listeners: new Map([[0, 0]]),
		hosts: [],
	},
];

/** Time passes in steps of about as much, so removals fall due in between. About half of the virtual hosts are not proven. */
const options: SimulationOptions = {
	removalDelayMs: 40,
	isProven: ({ name, version }) => !name.includes("/") || /[01]>/.test(version),
};

/** A proxy refuses the removal of a listener together with another listener as it has it; the removed one comes back and goes again. */
const refusedWithNothingNew: readonly [
	SmallMesh,
	boolean,
	readonly Step[],
	typeof sendOrder,
	SmallMesh,
] = (() => {
	const meshOf = (
		...listeners: readonly (readonly [number, number])[]
	): SmallMesh => ({
		clusters: new Map([[0, 0]]),
		endpoints: noEndpointChanges,
		listeners: new Map(listeners),
		hosts: [],
	});
	const become = (...listeners: readonly (readonly [number, number])[]) => ({
		op: "become" as const,
		mesh: meshOf(...listeners),
	});
	const request = { op: "request" } as const;
	const accept = { op: "response", refuse: false } as const;
	const refuse = { op: "response", refuse: true } as const;
	return [
		meshOf(),
		false,
		[
			...[request, accept, request],
			...[become([1, 0], [2, 0]), request, refuse, request, accept],
			...[become([1, 1]), request, request, refuse],
			...[become([1, 0]), request, request, refuse],
			...[become([2, 0]), refuse],
		],
		sendOrder,
		meshOf(),
	];
})();

/** A listener goes and comes back; the request that ends the interest in its route configuration comes while a virtual host is under way, which goes meanwhile. */
const goneWhileUnwanted: typeof refusedWithNothingNew = (() => {
	const meshOf = (
		cluster: number,
		listeners: SmallMesh["listeners"],
		hosts: SmallMesh["hosts"] = [],
	): SmallMesh => ({
		clusters: new Map([[cluster, 0]]),
		endpoints: noEndpointChanges,
		listeners,
		hosts,
	});
	const one = new Map([[0, 0]]);
	const request = { op: "request" } as const;
	const accept = { op: "response", refuse: false } as const;
	const refuse = { op: "response", refuse: true } as const;
	return [
		meshOf(1, one),
		false,
		[
			...[request, accept, request, request, accept, request, accept],
			...[{ op: "reconnect" } as const, request, request, request],
			...[{ op: "become", mesh: meshOf(0, new Map()) } as const],
			...[refuse, refuse, request, refuse, request, refuse, request, refuse],
			...[request, request, request, request, refuse, request],
			...[{ op: "become", mesh: meshOf(0, one, [[0, 0, 0, 0]]) } as const],
			request,
		],
		sendOrder,
		meshOf(0, one),
	];
})();

describe("DeltaStream and a proxy that behaves like Envoy", () => {
	it("agree in the end, and nothing ever points at what is not there, whatever happens in between", () => {
		fc.assert(
			fc.property(
				mesh,
				fc.boolean(),
				fc.array(step(false), { maxLength: 80, size: "max" }),
				mesh,
				(first, settled, steps, last) => {
					const resources = new MemoryResources();
					become(resources, resourcesOf(first, ""));
					const envoy = new SimulatedEnvoy(resources, options);
					if (settled) envoy.settle();
					run(resources, envoy, steps, []);
					const end = resourcesOf(last, "");
					become(resources, end);
					envoy.settle();
					expect(envoy.complaints.join("\n")).to.equal("");
					expect(envoy.has).to.deep.equal(expected(end));

					envoy.received.length = 0;
					envoy.reconnect();
					envoy.settle();
					const sentAgain = envoy.received.filter(
						(text) => !text.endsWith("/none"),
					);
					expect(sentAgain).to.deep.equal([]);
				},
			),
			{ numRuns: 1000, examples: [[...goneWhileApart]] },
		);
	});

	it("agree in the end when the proxy refuses responses on the way, and what was refused changes", () => {
		fc.assert(
			fc.property(
				mesh,
				fc.boolean(),
				fc.array(step(true), { maxLength: 80, size: "max" }),
				fc.constantFrom(sendOrder, [
					"listener",
					"route",
					"virtualHost",
				] as const),
				mesh,
				(first, settled, steps, refusable, last) => {
					const resources = new MemoryResources();
					become(resources, resourcesOf(first, ""));
					const envoy = new SimulatedEnvoy(resources, options);
					if (settled) envoy.settle();
					run(resources, envoy, steps, refusable);
					const end = resourcesOf(last, "new");
					become(resources, end);
					envoy.settle();
					expect(envoy.complaints.join("\n")).to.equal("");
					expect(envoy.has).to.deep.equal(expected(end));
				},
			),
			{
				numRuns: 1000,
				examples: [[...refusedWithNothingNew], [...goneWhileUnwanted]],
			},
		);
	});
});
