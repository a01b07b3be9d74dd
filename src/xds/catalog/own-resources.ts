import { ClusterSchema } from "../../gen/envoy/envoy/config/cluster/v3/cluster_pb.js";
import type { CallerRule } from "../../mesh/caller.ts";
import type { Mesh } from "../../mesh/mesh.ts";
import type { Service, ServicePort } from "../../mesh/service.ts";
import { virtualOutbound } from "../generate/captured-listener.ts";
import { inboundCluster } from "../generate/cluster.ts";
import {
	forwardProxyListener,
	gatewayListener,
	localTcpListener,
	unservedTcpListener,
} from "../generate/explicit-listener.ts";
import {
	capturedInboundListener,
	explicitInboundListeners,
} from "../generate/inbound-listener.ts";
import { makeResource } from "../generate/make-resource.ts";
import { blackholeCluster, inboundClusterName } from "../generate/names.ts";
import type { Proxy } from "../proxy.ts";
import type { Resource } from "../resource.ts";
import {
	ChangeCollector,
	type LayerPlace,
	ResourceLayer,
} from "./resource-layer.ts";
import { serviceByHost } from "./service-by-host.ts";

type RulesOf = (service: Service, port: ServicePort) => readonly CallerRule[];

/** What only one proxy has: the listeners at its own addresses and the clusters of its application. */
export class OwnResources {
	readonly layer: ResourceLayer;
	readonly #proxy: Proxy;

	constructor(proxy: Proxy, place: LayerPlace) {
		this.layer = new ResourceLayer(place);
		this.#proxy = proxy;
	}

	/** Generates all of it; there is little. */
	update(mesh: Mesh, rulesOf: RulesOf): ChangeCollector {
		const changes = new ChangeCollector();
		this.layer.replace("cluster", "", this.#clusters(), changes);
		this.layer.replace("listener", "", this.#listeners(mesh, rulesOf), changes);
		return changes;
	}

	#clusters(): Resource[] {
		return this.#proxy.addresses.inbound.map(({ application, protocol }) =>
			makeResource(
				ClusterSchema,
				inboundClusterName(application),
				inboundCluster(application, protocol),
				[],
			),
		);
	}

	#listeners(mesh: Mesh, rulesOf: RulesOf): Resource[] {
		const { addresses, attachment, kind, workload } = this.#proxy;
		if (kind === "grpc") return [];
		if (kind === "gateway") {
			return addresses.gateway.map(({ listen }) =>
				gatewayListener(workload, listen),
			);
		}
		if (attachment === "captured") {
			const { inbound = [], ips = [] } = mesh.workloads.get(workload) ?? {};
			return [
				capturedInboundListener(inbound),
				// Where there is no IPv6, Envoy could not listen and would refuse the update.
				...(ips.some((ip) => ip.includes(":"))
					? [
							capturedInboundListener(inbound, "virtual_inbound_ipv6", "[::]"),
							virtualOutbound(mesh, "virtual_outbound_ipv6", "[::]"),
						]
					: []),
			];
		}
		return [
			...(addresses.outbound ? [forwardProxyListener(addresses.outbound)] : []),
			...explicitInboundListeners(addresses),
			...addresses.tcp.map((local) =>
				localListener(mesh, workload.split("/", 1)[0] ?? "", rulesOf, local),
			),
		];
	}
}

function localListener(
	mesh: Mesh,
	namespace: string,
	rulesOf: RulesOf,
	{
		service: name,
		listen,
	}: { readonly service: string; readonly listen: string },
): Resource {
	const colon = name.lastIndexOf(":");
	const number = Number(name.slice(colon + 1));
	const service = serviceByHost(mesh, namespace, name.slice(0, colon));
	const port = service?.ports.find((p) => p.number === number);
	return service && port
		? localTcpListener({ listen, service, port, rules: rulesOf(service, port) })
		: unservedTcpListener(listen, name, blackholeCluster);
}
