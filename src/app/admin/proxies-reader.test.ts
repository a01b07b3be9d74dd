import { expect } from "chai";
import { buildMesh } from "../../mesh/build.ts";
import { readDirectory } from "../../sources/read-directory.ts";
import { Catalog } from "../../xds/catalog/catalog.ts";
import type { Proxy } from "../../xds/proxy.ts";
import type { Resource } from "../../xds/resource.ts";
import {
	ConnectedProxies,
	type ConnectedProxy,
} from "../../xds/server/connected-proxies.ts";
import { proxiesReader } from "./proxies-reader.ts";

const service = `apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: default}
spec:
  clusterIP: 10.0.0.1
  ports: [{name: http, port: 9080}]
`;

const proxy: Proxy = {
	workload: "default/client",
	id: "sidecar~default/client",
	kind: "sidecar",
	attachment: "explicit",
	addresses: { outbound: "127.0.0.1:15001", inbound: [], tcp: [], gateway: [] },
};

async function catalogOf(text: string): Promise<Catalog> {
	const { objects } = await readDirectory([
		{ kind: "text", name: "test", text },
	]);
	const catalog = new Catalog();
	catalog.update(buildMesh(objects).mesh);
	return catalog;
}

/** A stream that was sent these clusters; it has acknowledged those with `acknowledged`. */
function stream(
	clusters: readonly {
		readonly resource: Resource;
		readonly acknowledged: boolean;
	}[],
): ConnectedProxy {
	return {
		proxy,
		variant: "delta",
		address: "127.0.0.1:4711",
		connectedAtMs: 5,
		types: () => [
			{
				type: "cluster",
				wildcard: true,
				names: 0,
				sent: clusters.length,
				acknowledged: clusters.filter((one) => one.acknowledged).length,
				lastRejection: undefined,
			},
		],
		resources: (type) =>
			type !== "cluster"
				? []
				: clusters.map(({ resource, acknowledged }) => ({
						name: resource.name,
						sent: resource.version,
						acknowledged: acknowledged ? resource.version : undefined,
						rejected: false,
					})),
		acknowledged: (type) =>
			type !== "cluster"
				? []
				: clusters
						.filter((one) => one.acknowledged)
						.map(({ resource }) => resource),
	};
}

function clustersOf(catalog: Catalog): readonly Resource[] {
	const { resources, release } = catalog.attach(proxy, "delta");
	const clusters = [...resources.names("cluster")].flatMap(
		(name) => resources.get("cluster", name) ?? [],
	);
	release();
	return clusters;
}

describe("proxiesReader", () => {
	it("shows what was sent, what is acknowledged, and the Envoy JSON of the bytes", async () => {
		const catalog = await catalogOf(service);
		const connected = new ConnectedProxies();
		const clusters = clustersOf(catalog).map((resource) => ({
			resource,
			acknowledged: resource.name.includes("reviews"),
		}));
		connected.note({ op: "connected", on: stream(clusters) });
		const reader = proxiesReader(connected, catalog);
		expect(reader.proxies()[0]?.counts.get("clusters")).to.deep.equal({
			sent: clusters.length,
			acknowledged: 1,
			rejected: 0,
		});
		const states = await reader.resources(proxy.id, "clusters");
		const reviews = states?.find(({ name }) => name.includes("reviews"));
		expect(reviews?.acknowledged).to.equal(reviews?.sent);
		expect(reviews?.config).to.include({ name: reviews?.name, type: "EDS" });
	});

	it("shows no configuration when the bytes of that version are gone", async () => {
		const old = await catalogOf(service);
		const now = await catalogOf(service.replace("9080", "9081"));
		const connected = new ConnectedProxies();
		const clusters = clustersOf(old).map((resource) => ({
			resource,
			acknowledged: false,
		}));
		connected.note({ op: "connected", on: stream(clusters) });
		const states = await proxiesReader(connected, now).resources(
			proxy.id,
			"clusters",
		);
		const reviews = states?.find(({ name }) => name.includes("reviews"));
		expect(reviews?.sent).to.be.a("string");
		expect(reviews?.config).to.equal(undefined);
	});

	it("keeps two streams of one proxy apart, the newest under its own id", async () => {
		const catalog = await catalogOf(service);
		const connected = new ConnectedProxies();
		connected.note({ op: "connected", on: stream([]) });
		connected.note({
			op: "connected",
			on: { ...stream([]), connectedAtMs: 6 },
		});
		const ids = proxiesReader(connected, catalog)
			.proxies()
			.map(({ id, connectedMs }) => [id, connectedMs]);
		expect(ids).to.deep.equal([
			["sidecar~default/client", 6],
			["sidecar~default/client#2", 5],
		]);
	});

	it("knows nothing of a proxy that is not connected", async () => {
		const reader = proxiesReader(
			new ConnectedProxies(),
			await catalogOf(service),
		);
		expect(await reader.resources("none", "clusters")).to.equal(undefined);
	});
});
