/** Where an explicit proxy accepts traffic, as its bootstrap says. */
export interface ProxyAddresses {
	/** Address of the forward proxy for HTTP_PROXY (`127.0.0.1:15001`); explicit sidecars only. */
	readonly outbound?: string;
	/** Listener in front of each port of the application. */
	readonly inbound: readonly {
		/** `address:port` on which the proxy accepts. */
		readonly listen: string;
		/** `address:port` of the application. */
		readonly application: string;
		readonly protocol: "http" | "http2" | "grpc" | "tcp" | "tls" | "sniffed";
	}[];
	/** Local listeners for TCP services: `hostname:port` of the service → `address:port` to listen on. */
	readonly tcp: readonly {
		readonly service: string;
		readonly listen: string;
	}[];
	/** Listeners of a gateway. */
	readonly gateway: readonly { readonly listen: string }[];
}

/** A connected Envoy (or proxyless gRPC client) whose identity has been proven. */
export interface Proxy {
	/** `namespace/name` of its workload; for gateways, of the gateway. Unique among connected proxies of one workload is `id`. */
	readonly workload: string;
	/** `node.id` as the proxy gave it, checked against the workload. */
	readonly id: string;
	readonly kind: "sidecar" | "gateway" | "grpc";
	readonly attachment: "captured" | "explicit";
	readonly addresses: ProxyAddresses;
	/** What it runs, as it says itself: `envoy 1.40.0`. Proxies of the same software accept the same. */
	readonly software?: string;
}
