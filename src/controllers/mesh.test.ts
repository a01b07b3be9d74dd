import { expect } from "chai";
import { TestClock } from "../../test/testkit/test-clock.ts";
import type { Namespace } from "../api/core.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import type { MeshEdition } from "../mesh/editions.ts";
import type { Mesh } from "../mesh/mesh.ts";
import { silentLogger } from "../observability/logger.ts";
import { MetricsRegistry } from "../observability/metrics.ts";
import { emptyObjects } from "../store/empty-objects.ts";
import { ObjectStore } from "../store/object-store.ts";
import { type BuiltMesh, MeshController } from "./mesh.ts";

function namespace(name: string): Namespace {
	return {
		kind: "Namespace",
		metadata: {
			namespace: "",
			name,
			labels: {},
			annotations: {},
			generation: 1,
			createdMs: 0,
		},
	} as Namespace;
}

function put(object: ApiObject) {
	return { op: "put", object } as const;
}

/** A mesh that is told apart by its domain: the names of the namespaces it was built from. */
function meshOf(objects: Objects): Mesh {
	return {
		options: {
			trustDomain: [...objects.Namespace.keys()].join(","),
			clusterDomain: "cluster.local",
			rootNamespace: "lateen-system",
			outboundTraffic: "AllowAny",
		},
		services: new Map(),
		endpoints: new Map(),
		subsets: new Map(),
		routes: new Map(),
		gateways: new Map(),
		workloads: new Map(),
		callerFacts: { labelKeys: new Set(), services: new Set(), identity: false },
	};
}

function start(
	build: (objects: Objects) => BuiltMesh = (objects) => ({
		mesh: meshOf(objects),
		findings: [],
	}),
) {
	const store = new ObjectStore(["test"]);
	const clock = new TestClock();
	const applied: string[] = [];
	const metrics = new MetricsRegistry();
	const controller = new MeshController({
		inputs: store,
		build,
		apply: (mesh) => applied.push(mesh.options.trustDomain),
		holdOff: { quietMs: 10, maxMs: 200 },
		clock,
		logger: silentLogger,
		metrics,
	});
	const sink = store.sinkOf("test");
	return { controller, sink, clock, applied, metrics };
}

describe("MeshController", () => {
	it("builds nothing before every source has listed, and then at once", () => {
		const { sink, clock, applied } = start();
		sink.apply([put(namespace("a"))]);
		clock.pass(1000);
		expect(applied).to.deep.equal([]);
		sink.listed();
		expect(applied).to.deep.equal(["a"]);
	});

	it("builds a change after a quiet time without waiting", () => {
		const { sink, clock, applied } = start();
		sink.listed();
		clock.pass(1000);
		sink.apply([put(namespace("a"))]);
		clock.pass(0);
		expect(applied).to.deep.equal(["", "a"]);
	});

	it("makes one build of changes that come close together", () => {
		const { sink, clock, applied } = start();
		sink.listed();
		for (const name of ["a", "b", "c"]) {
			sink.apply([put(namespace(name))]);
			clock.pass(5);
		}
		expect(applied).to.deep.equal([""]);
		clock.pass(5);
		expect(applied).to.deep.equal(["", "a,b,c"]);
	});

	it("builds now and then under changes that never stop", () => {
		const { sink, clock, applied } = start();
		sink.listed();
		for (let index = 0; index < 100; index++) {
			sink.apply([put(namespace(`n${index}`))]);
			clock.pass(9);
		}
		expect(applied.length).to.be.within(4, 7);
	});

	it("waits with a removal, so that a move is one build", () => {
		const { sink, clock, applied } = start();
		sink.apply([put(namespace("a"))]);
		sink.listed();
		clock.pass(1000);
		sink.apply([
			{ op: "delete", ref: { kind: "Namespace", namespace: "", name: "a" } },
		]);
		clock.pass(9);
		sink.apply([put(namespace("a"))]);
		clock.pass(1000);
		expect(applied).to.deep.equal(["a", "a"]);
	});

	it("keeps the last good mesh when a build fails, and says so until one succeeds", () => {
		const { controller, sink, clock, applied, metrics } = start((objects) => {
			if (objects.Namespace.has("bad")) throw new Error("boom");
			return { mesh: meshOf(objects), findings: [] };
		});
		sink.apply([put(namespace("a"))]);
		sink.listed();
		sink.apply([put(namespace("bad"))]);
		clock.pass(1000);
		const { mesh, failure } = controller.state.value;
		expect(mesh?.options.trustDomain).to.equal("a");
		expect(failure?.error).to.be.an("error");
		expect(metrics.print()).to.include("lateen_mesh_build_failing 1");
		sink.apply([
			{ op: "delete", ref: { kind: "Namespace", namespace: "", name: "bad" } },
			put(namespace("b")),
		]);
		clock.pass(1000);
		expect(applied).to.deep.equal(["a", "a,b"]);
		expect(controller.state.value.failure).to.equal(undefined);
		expect(metrics.print()).to.include(
			'lateen_mesh_builds_total{result="failed"} 1',
		);
	});

	it("puts editions in force although the mesh for everybody is the same", () => {
		const mesh = meshOf(emptyObjects());
		const none: readonly MeshEdition[] = [];
		const some: readonly MeshEdition[] = [
			{
				id: "old",
				software: new Set(["old"]),
				proxies: new Set(),
				objects: emptyObjects(),
				withheld: [],
				mesh,
			},
		];
		const { sink, clock, applied } = start((objects) => ({
			mesh,
			findings: [],
			editions: objects.Namespace.has("a") ? some : none,
		}));
		sink.listed();
		expect(applied).to.have.length(1);
		for (const name of ["a", "b"]) {
			sink.apply([put(namespace(name))]);
			clock.pass(1000);
			expect(applied).to.have.length(2);
		}
	});

	it("builds nothing after it was disposed of", () => {
		const { controller, sink, clock, applied } = start();
		sink.listed();
		sink.apply([put(namespace("a"))]);
		controller[Symbol.dispose]();
		sink.apply([put(namespace("b"))]);
		clock.pass(1000);
		expect(applied).to.deep.equal([""]);
	});
});
