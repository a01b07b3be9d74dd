import type * as k8s from "../api/core.ts";
import { refOf } from "../api/metadata.ts";
import { protocolOf } from "./protocol.ts";
import type { Resolution, Service, ServicePort } from "./service.ts";

/**
 * The service that a Kubernetes Service describes, before conflicts with
 * others are settled. UDP and SCTP ports are left out: proxies do not carry them.
 */
export function draftService(
	object: k8s.Service,
	clusterDomain: string,
): Service {
	const { namespace, name } = object.metadata;
	const hostname = `${name}.${namespace}.svc.${clusterDomain}`;
	return {
		hostname,
		origin: refOf(object),
		namespace,
		name,
		external: false,
		resolution: resolutionOf(object),
		hosts: [hostname, `${name}.${namespace}.svc`, `${name}.${namespace}`],
		localHosts: [name],
		addresses: [...new Set(object.spec.clusterIPs)],
		ports: object.spec.ports.filter(isTcp).map(portOf).sort(comparePorts),
	};
}

/** Order of ports within a service. */
export function comparePorts(a: ServicePort, b: ServicePort): number {
	return a.number - b.number;
}

function resolutionOf(object: k8s.Service): Resolution {
	if (object.spec.type === "ExternalName") return "dns";
	return object.spec.headless ? "headless" : "listed";
}

function isTcp(port: k8s.ServicePort): boolean {
	return port.protocol === "TCP";
}

function portOf(port: k8s.ServicePort): ServicePort {
	return {
		number: port.port,
		name: port.name,
		protocol: protocolOf(port.appProtocol, port.name),
	};
}
