import type { ObjectRef } from "../api/object-ref.ts";

/**
 * The full name of a service and its key in the mesh:
 * `reviews.default.svc.cluster.local`, or a host of an ExternalService
 * (`api.example.com`, `*.example.com`). Always lower-case.
 */
export type Hostname = string;

/** What a port speaks, from `appProtocol`, the port's name, or `sniffed` when neither says. */
export type Protocol = "http" | "http2" | "grpc" | "tcp" | "tls" | "sniffed";

/** TLS that the calling proxy adds on the way to the endpoint. */
export interface TlsOrigination {
	/** Server name to send; the requested host when absent. */
	readonly sni?: string;
	/** Names of which the server's certificate must carry one; `sni` or the host when empty. */
	readonly subjectAltNames: readonly string[];
	/** Certificates that are trusted, as PEM; those of the proxy's operating system when absent. */
	readonly caCertificates?: string;
	readonly insecureSkipVerify: boolean;
}

/** One port of a service. */
export interface ServicePort {
	readonly number: number;
	readonly name: string;
	readonly protocol: Protocol;
	readonly tls?: TlsOrigination;
}

/** How the addresses behind a service are found. */
export type Resolution =
	/** Endpoints are listed in the mesh (EndpointSlices, or an ExternalService's own). */
	| "listed"
	/** Endpoints are listed, and clients may also call each of them by its own address. */
	| "headless"
	/** The proxy resolves endpoint names by DNS. */
	| "dns"
	/** The proxy calls the address or host that the client asked for. */
	| "passthrough";

/** A named destination that workloads serve: what it is, without who serves it now. */
export interface Service {
	readonly hostname: Hostname;
	/** The Service or ExternalService that this comes from. */
	readonly origin: ObjectRef;
	readonly namespace: string;
	/** Name of the origin; several hosts of one ExternalService share it. */
	readonly name: string;
	readonly external: boolean;
	readonly resolution: Resolution;
	/** Names by which a client in any namespace may call it, hostname first; unique in the mesh. */
	readonly hosts: readonly string[];
	/** Further names that are good only for callers in the service's own namespace (`reviews`). */
	readonly localHosts: readonly string[];
	/** Virtual addresses (cluster IPs, addresses of an ExternalService; CIDRs too); unique in the mesh. */
	readonly addresses: readonly string[];
	/** In order of their numbers. */
	readonly ports: readonly ServicePort[];
}

/** True for ports whose requests are routed one by one: http, http2, grpc, and sniffed ones that turn out to be HTTP. */
export function carriesHttp(protocol: Protocol): boolean {
	return (
		protocol === "http" ||
		protocol === "http2" ||
		protocol === "grpc" ||
		protocol === "sniffed"
	);
}
