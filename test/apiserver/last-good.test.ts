import { expect } from "chai";
import type { ApiObject } from "../../src/api/objects.ts";
import { parseObject } from "../../src/api/parse-object.ts";
import { LastGoodObjects } from "../../src/kube/last-good-objects.ts";
import type { ObjectClient } from "../../src/kube/object-client.ts";
import { resources } from "../../src/kube/resources.ts";
import { WritePacer } from "../../src/kube/write-pacer.ts";
import { WritableSignal } from "../../src/lib/signal.ts";
import { systemClock } from "../../src/lib/system-clock.ts";
import { silentLogger } from "../../src/observability/logger.ts";
import type { LastGood } from "../../src/store/last-good.ts";
import { apiServerPlace } from "../testkit/api-server-place.ts";
import { eventually } from "../testkit/eventually.ts";
import { FixedLeader } from "../testkit/fixed-leader.ts";
import { type KubeCluster, kubectl } from "../testkit/kube-cluster.ts";

describe("last good forms on an API server", () => {
	const place = apiServerPlace();
	let cluster: KubeCluster;
	let client: ObjectClient;
	let namespace: string;

	beforeEach(() => {
		({ cluster, client, namespace } = place);
	});

	function store(
		leader = new FixedLeader(),
		exists: (name: string) => boolean = () => true,
	): LastGoodObjects {
		return new LastGoodObjects({
			client,
			leader,
			pacer: new WritePacer(systemClock),
			ownNamespace: namespace,
			objects: {
				allListed: new WritableSignal(true),
				// What other tests leave there is not ours to remove.
				exists: (ref) => ref.namespace !== namespace || exists(ref.name),
			},
			clock: systemClock,
			logger: silentLogger,
		});
	}

	async function rule(name: string, body: string): Promise<ApiObject> {
		const { content } = await client.apply({
			resource: resources.RouteRule,
			at: { namespace, name },
			manager: "person",
			fields: {
				spec: {
					destination: { name: "echo" },
					match: [{ path: "/x" }, { headers: { a: { present: true } } }],
					respond: { status: 200, body },
				},
			},
		});
		const parsed = parseObject(content);
		if (parsed.kind !== "object") throw new Error(JSON.stringify(parsed));
		return parsed.object;
	}

	function entry(object: ApiObject, fields: Partial<LastGood> = {}): LastGood {
		const { name } = object.metadata;
		return {
			ref: { kind: "RouteRule", namespace, name },
			valid: object,
			proven: undefined,
			refusals: [],
			...fields,
		};
	}

	async function ours(from = store()): Promise<readonly LastGood[]> {
		return (await from.read()).filter(
			({ ref }) => ref.namespace === namespace || ref.kind === "Mesh",
		);
	}

	it("come back as they were written, fields that are no longer so removed", async () => {
		const old = await rule("x", "old");
		const now = await rule("x", "new");
		const one = store();
		const refusals = [
			{ content: "c", software: "s", proxy: "a/b", message: "no" },
		];
		const first = entry(now, { proven: old, refusals });
		await one.write(first);
		expect(await ours()).to.deep.equal([first]);
		const second = entry(now, { proven: now });
		await one.write(second);
		expect(await ours()).to.deep.equal([second]);
		const third = entry(now);
		await one.write(third);
		expect(await ours()).to.deep.equal([third]);
	});

	it("are readable for people", async () => {
		await store().write(entry(await rule("x", "Hello.")));
		const listed = await kubectl(cluster, ["get", "lg", "-n", namespace]);
		expect(listed).to.match(/routerule\.x +RouteRule +x +1/);
		const yaml = await kubectl(cluster, [
			...["get", "lg", "routerule.x", "-n", namespace, "-o", "yaml"],
		]);
		expect(yaml).to.contain("body: Hello.");
		const meant = await kubectl(cluster, ["explain", "lastgood.spec.proven"]);
		expect(meant).to.contain("The newest form that proxies have accepted");
	});

	it("belong to their object and cost no more than it, whatever is in it", async () => {
		const object = await rule("x", "Hello.");
		await store().write(entry(object));
		const { content } = await client.get(resources.LastGood, {
			namespace,
			name: "routerule.x",
		});
		const metadata = content["metadata"] as {
			readonly ownerReferences: readonly Readonly<Record<string, unknown>>[];
			readonly managedFields: unknown;
		};
		expect(metadata.ownerReferences).to.deep.equal([
			{
				apiVersion: "lateen.dev/v1alpha1",
				kind: "RouteRule",
				name: "x",
				uid: object.metadata.uid,
			},
		]);
		expect(JSON.stringify(metadata.managedFields)).not.to.contain("f:body");
	});

	it("written twice are one version", async () => {
		const one = store();
		const object = entry(await rule("x", "Hello."));
		const version = async (): Promise<string> => {
			const at = { namespace, name: "routerule.x" };
			return (await client.get(resources.LastGood, at)).metadata
				.resourceVersion;
		};
		await one.write(object);
		const before = await version();
		await one.write(object);
		await store().write(object);
		expect(await version()).to.equal(before);
	});

	it("of objects that are gone are swept by the next leader", async () => {
		const one = store();
		for (const name of ["x", "y"]) await one.write(entry(await rule(name, "")));
		const leader = new FixedLeader(false);
		const next = store(leader, (name) => name !== "x");
		leader.state.set(true);
		await eventually(async () =>
			expect((await ours(next)).map(({ ref }) => ref.name)).to.deep.equal([
				"y",
			]),
		);
		next[Symbol.dispose]();
	});

	it("of two leaders are merged", async () => {
		const old = await rule("x", "old");
		const now = await rule("x", "new");
		const refusals = [
			{ content: "c", software: "s", proxy: "a/b", message: "no" },
		];
		await store().write(entry(now, { refusals }));
		const leader = new FixedLeader(false);
		using next = store(leader);
		await next.write(entry(now, { proven: old }));
		leader.state.set(true);
		await eventually(async () =>
			expect(await ours()).to.deep.equal([
				entry(now, { proven: old, refusals }),
			]),
		);
	});

	it("are as large as they may be", async () => {
		const object = await rule("x", "x".repeat(4000));
		const annotations = { note: "ü".repeat(120_000) };
		const metadata = { ...object.metadata, annotations };
		const large = entry({ ...object, metadata } as ApiObject);
		await store().write(large);
		expect(await ours()).to.deep.equal([large]);
	});

	it("are passed over where the namespace or the object is gone", async () => {
		const object = await rule("x", "");
		await client.delete(resources.RouteRule, { namespace, name: "x" });
		const elsewhere = {
			...entry(object),
			ref: { kind: "RouteRule", namespace: `${namespace}-gone`, name: "x" },
		};
		await store().write(elsewhere);
		expect(await ours()).to.deep.equal([]);
	});
});
