import type { Proxy } from "./proxy.ts";

/**
 * What `node.id` says: `sidecar~default/reviews-v1`, with `~SUFFIX` when several
 * proxies share the workload. In a Kubernetes cluster the suffix of a gateway is
 * the name of its pod.
 */
export interface NodeId {
	readonly kind: Proxy["kind"];
	/** `namespace/name`. */
	readonly workload: string;
	/** Empty when there is one proxy for the workload. */
	readonly suffix: string;
}

/** The printed form; `parseNodeId` turns it back. */
export function printNodeId({ kind, workload, suffix }: NodeId): string {
	return suffix === ""
		? `${kind}~${workload}`
		: `${kind}~${workload}~${suffix}`;
}

/** The parts of a `node.id`, or undefined when it is none of ours. */
export function parseNodeId(id: string): NodeId | undefined {
	// Names of Kubernetes objects: DNS labels, and DNS subdomains for what is inside a namespace.
	const found =
		/^(sidecar|gateway|grpc)~([a-z0-9-]{1,63}\/[a-z0-9.-]{1,253})(?:~([A-Za-z0-9._-]{1,253}))?$/.exec(
			id,
		);
	if (found === null) return undefined;
	const [, kind, workload, suffix = ""] = found;
	if (workload === undefined) return undefined;
	switch (kind) {
		case "sidecar":
		case "gateway":
		case "grpc":
			return { kind, workload, suffix };
		default:
			return undefined;
	}
}
