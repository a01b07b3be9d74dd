/*
 * Whether an Envoy has what a fresh render of the folder says, resource by
 * resource. Both sides are read into messages and printed again, so that equal
 * means equal, however it was written.
 */
import { isDeepStrictEqual } from "node:util";
import {
	createRegistry,
	fromBinary,
	fromJson,
	type JsonValue,
	toJson,
} from "@bufbuild/protobuf";
import { files } from "../../src/gen/envoy/files.js";
import { buildMesh } from "../../src/mesh/build.ts";
import { readDirectory } from "../../src/sources/read-directory.ts";
import { renderProxy } from "../../src/xds/render.ts";
import { type ResourceType, typeUrls } from "../../src/xds/resource-type.ts";
import { send } from "../testkit/send.ts";
import type { MeshProxy } from "./served-mesh.ts";

const registry = createRegistry(...files);

/** Resources by type and name, as JSON. */
type State = ReadonlyMap<string, JsonValue>;

/** How an Envoy differs from a fresh render of the folder: one line per resource, nothing when it does not. */
export async function differences(
	{ envoy, proxy }: MeshProxy,
	folder: string,
): Promise<readonly string[]> {
	const { objects } = await readDirectory([{ kind: "path", path: folder }]);
	const { mesh } = buildMesh(objects, undefined);
	const wanted = renderedState(renderProxy(mesh, proxy, "delta"));
	const found = await envoyState(envoy.current.admin);
	const wantsRoutes = proxy.addresses.outbound !== undefined;
	const lines: string[] = [];
	for (const [name, value] of wanted) {
		const isRoute = /^(route|virtualHost) /.test(name);
		if (isRoute && !wantsRoutes) continue;
		const other = found.get(name);
		if (other === undefined) lines.push(`${proxy.workload} lacks ${name}`);
		else if (!isDeepStrictEqual(value, other))
			lines.push(
				`${proxy.workload}: ${name} is ${JSON.stringify(other)}, not ${JSON.stringify(value)}`,
			);
	}
	for (const name of found.keys()) {
		if (!wanted.has(name)) lines.push(`${proxy.workload} still has ${name}`);
	}
	return lines;
}

function renderedState(rendered: ReturnType<typeof renderProxy>): State {
	const state = new Map<string, JsonValue>();
	for (const [type, resources] of rendered) {
		const schema = schemaOf(typeUrls[type]);
		for (const { name, bytes } of resources) {
			const json = toJson(schema, fromBinary(schema, bytes), { registry });
			state.set(
				`${type} ${name}`,
				type === "endpoint" ? endpointsOf(json as Assignment) : json,
			);
		}
	}
	return state;
}

interface Dump {
	readonly configs: readonly (Readonly<Record<string, JsonValue>> & {
		readonly "@type": string;
	})[];
}

/** What an Envoy has from the control plane. */
async function envoyState(admin: string): Promise<State> {
	const { body } = await send(`http://${admin}/config_dump`);
	const hosts = await hostsOf(admin);
	const state = new Map<string, JsonValue>();
	const add = (type: ResourceType, name: string, json: JsonValue): void => {
		const schema = schemaOf(typeUrls[type]);
		const { "@type": _, ...message } = json as Readonly<
			Record<string, JsonValue>
		>;
		state.set(
			`${type} ${name}`,
			toJson(schema, fromJson(schema, message, { registry }), { registry }),
		);
	};
	for (const config of (JSON.parse(body) as Dump).configs) {
		const list = (name: string) =>
			(config[name] ?? []) as readonly Readonly<
				Record<string, Readonly<Record<string, JsonValue>>>
			>[];
		switch (config["@type"].slice(config["@type"].lastIndexOf(".") + 1)) {
			case "ClustersConfigDump":
				for (const { cluster } of list("dynamic_active_clusters")) {
					const name = String(cluster?.["name"]);
					if (cluster) add("cluster", name, cluster);
					if (cluster?.["type"] === "EDS")
						state.set(`endpoint ${name}`, hosts.get(name) ?? []);
				}
				for (const { cluster } of list("dynamic_warming_clusters"))
					if (cluster) state.set(`warming cluster ${cluster["name"]}`, null);
				break;
			case "ListenersConfigDump":
				for (const { name, active_state: active } of list("dynamic_listeners"))
					if (active?.["listener"])
						add("listener", String(name), active["listener"]);
				break;
			case "RoutesConfigDump":
				for (const { route_config: table } of list("dynamic_route_configs")) {
					if (table === undefined) continue;
					const { virtual_hosts: hosts = [], ...own } = table;
					const name = String(table["name"]);
					const fixed: JsonValue[] = [];
					for (const host of hosts as readonly Record<string, JsonValue>[]) {
						const hostName = String(host["name"]);
						if (hostName.startsWith(`${name}/`))
							add("virtualHost", hostName, host);
						else fixed.push(host);
					}
					add("route", name, { ...own, virtual_hosts: fixed });
				}
				break;
			default:
		}
	}
	return state;
}

/** What counts of a load assignment. */
type Assignment = {
	readonly endpoints?: readonly {
		readonly locality?: Locality;
		readonly lbEndpoints?: readonly {
			readonly endpoint?: { readonly address?: { socketAddress?: Address } };
			readonly healthStatus?: string;
			readonly loadBalancingWeight?: number;
		}[];
	}[];
} & JsonValue;

type Locality = { readonly region?: string; readonly zone?: string };
type Address = { readonly address?: string; readonly portValue?: number };

function endpointsOf({ endpoints = [] }: Assignment): JsonValue {
	return endpoints
		.flatMap(({ locality, lbEndpoints = [] }) =>
			lbEndpoints.map((one) =>
				printEndpoint({
					...one.endpoint?.address?.socketAddress,
					...locality,
					health: one.healthStatus,
					weight: one.loadBalancingWeight,
				}),
			),
		)
		.sort();
}

interface ClustersAnswer {
	readonly cluster_statuses: readonly {
		readonly name: string;
		readonly host_statuses?: readonly {
			readonly address: {
				readonly socket_address: { address: string; port_value: number };
			};
			readonly health_status: { readonly eds_health_status: string };
			readonly weight: number;
			readonly locality: Locality;
		}[];
	}[];
}

/** Envoy does not keep load assignments as they were sent; its hosts are what became of them. */
async function hostsOf(admin: string): Promise<ReadonlyMap<string, JsonValue>> {
	const { body } = await send(`http://${admin}/clusters?format=json`);
	const { cluster_statuses: clusters } = JSON.parse(body) as ClustersAnswer;
	return new Map(
		clusters.map(({ name, host_statuses: hosts = [] }) => [
			name,
			hosts
				.map(({ address, health_status: health, weight, locality }) =>
					printEndpoint({
						address: address.socket_address.address,
						portValue: address.socket_address.port_value,
						...locality,
						health: health.eds_health_status,
						weight,
					}),
				)
				.sort(),
		]),
	);
}

function printEndpoint(
	endpoint: Address &
		Locality & {
			readonly health: string | undefined;
			readonly weight: number | undefined;
		},
): string {
	const { address, portValue, region = "", zone = "" } = endpoint;
	const { health = "HEALTHY", weight = 1 } = endpoint;
	return `${address}:${portValue} ${health} weight ${weight} in "${region}/${zone}"`;
}

function schemaOf(typeUrl: string) {
	const schema = registry.getMessage(
		typeUrl.slice(typeUrl.lastIndexOf("/") + 1),
	);
	if (schema === undefined) throw new Error(`${typeUrl} is not generated`);
	return schema;
}
