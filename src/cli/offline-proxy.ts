import { printNodeId } from "../xds/node-id.ts";
import type { Proxy } from "../xds/proxy.ts";

/** A proxy that does not run: what would be sent to it if it did. */
export type OfflineProxy =
	| {
			readonly kind: "sidecar";
			readonly workload: string;
			readonly attachment: Proxy["attachment"];
	  }
	| {
			readonly kind: "gateway";
			readonly workload: string;
			/** `address:port`. */
			readonly listen: string;
	  };

/** Where an explicit sidecar of which nothing else is known takes what goes out. */
export const usualOutbound = "127.0.0.1:15001";

/** The proxy with the addresses that are usual. */
export function offlineProxy(described: OfflineProxy): Proxy {
	const { kind, workload } = described;
	const attachment = kind === "sidecar" ? described.attachment : "explicit";
	return {
		kind,
		workload,
		attachment,
		id: printNodeId({ kind, workload, suffix: "" }),
		addresses: {
			...(kind === "sidecar" && attachment === "explicit"
				? { outbound: usualOutbound }
				: {}),
			inbound: [],
			tcp: [],
			gateway: kind === "gateway" ? [{ listen: described.listen }] : [],
		},
	};
}

/** `reviews-v1` in this namespace; names with a namespace stay as they are. */
export function qualifiedName(name: string, namespace: string): string {
	return name.includes("/") ? name : `${namespace}/${name}`;
}
