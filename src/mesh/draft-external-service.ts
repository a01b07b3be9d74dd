import type { ExternalPort, ExternalService } from "../api/external-service.ts";
import { refOf } from "../api/metadata.ts";
import { comparePorts } from "./draft-service.ts";
import type { Finding } from "./finding.ts";
import type { Protocol, Resolution, Service, ServicePort } from "./service.ts";

/**
 * The services that an ExternalService describes: one per host.
 *
 * Its virtual addresses go to the first host, because an address leads to one
 * service only and says nothing about which host was meant.
 *
 * @param hosts those of its hosts that no other object owns.
 * @param addresses those of its addresses that no other object owns.
 */
export function draftExternalService(
	object: ExternalService,
	hosts: readonly string[],
	addresses: readonly string[],
): {
	readonly services: readonly Service[];
	readonly findings: readonly Finding[];
} {
	const { namespace, name } = object.metadata;
	const { spec } = object;
	const origin = refOf(object);
	const findings: Finding[] = [];
	const unusable = (path: string, message: string): void => {
		findings.push({
			about: origin,
			condition: "Accepted",
			reason: "Unusable",
			path,
			message,
		});
	};
	if (spec.resolution === "Static") {
		if (spec.endpoints === undefined || spec.endpoints.length === 0) {
			unusable(
				"spec.endpoints",
				"With resolution Static nothing but endpoints says where the service is, so calls to it fail. List endpoints, or set resolution to DNS.",
			);
		}
		spec.endpoints?.forEach((endpoint, index) => {
			if (looksLikeIp(endpoint.address)) return;
			unusable(
				`spec.endpoints[${index}].address`,
				`With resolution Static an endpoint is an IP address, so ${endpoint.address} is not used. Write an IP address, or set resolution to DNS.`,
			);
		});
	}
	const ports = spec.ports.map(portOf).sort(comparePorts);
	const services: Service[] = [];
	for (const host of hosts) {
		if (
			spec.resolution === "DNS" &&
			host.startsWith("*") &&
			(spec.endpoints === undefined || spec.endpoints.length === 0)
		) {
			unusable(
				`spec.hosts[${spec.hosts.findIndex((written) => written.toLowerCase() === host)}]`,
				`The wildcard ${host} cannot be looked up in DNS, so it is not used. List endpoints with names that can, or set resolution to None.`,
			);
			continue;
		}
		services.push({
			hostname: host,
			origin,
			namespace,
			name,
			external: true,
			resolution: resolutions[spec.resolution],
			hosts: [host],
			localHosts: [],
			addresses: services.length === 0 ? addresses : [],
			ports,
		});
	}
	return { services, findings };
}

/** Tells IP addresses from DNS names; which of the two a valid text is, not whether it is valid. */
export function looksLikeIp(text: string): boolean {
	return text.includes(":") || /^[0-9]+(\.[0-9]+){3}$/.test(text);
}

const resolutions: {
	readonly [R in ExternalService["spec"]["resolution"]]: Resolution;
} = { None: "passthrough", Static: "listed", DNS: "dns" };

const protocols: { readonly [P in ExternalPort["protocol"]]: Protocol } = {
	HTTP: "http",
	HTTP2: "http2",
	GRPC: "grpc",
	HTTPS: "tls",
	TLS: "tls",
	TCP: "tcp",
};

function portOf(port: ExternalPort): ServicePort {
	const { tls } = port;
	return {
		number: port.number,
		name: port.name,
		protocol: protocols[port.protocol],
		...(tls !== undefined && {
			tls: {
				...(tls.sni !== undefined && { sni: tls.sni }),
				subjectAltNames: tls.subjectAltNames ?? [],
				...(tls.caCertificates !== undefined && {
					caCertificates: tls.caCertificates,
				}),
				insecureSkipVerify: tls.insecureSkipVerify,
			},
		}),
	};
}
