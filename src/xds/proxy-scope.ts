/**
 * Everything about a proxy that may change which rules apply to it. Two proxies
 * with equal scopes share one set of resources.
 *
 * Only facts that some rule of the mesh asks for are kept (see `CallerFacts`),
 * or every proxy would be a scope of its own.
 */
export interface ProxyScope {
	readonly kind: "sidecar" | "gateway";
	/** `namespace/name` of the gateway; empty for sidecars. */
	readonly gateway: string;
	/** How traffic reaches the proxy: by iptables, or because clients are told to (HTTP_PROXY, local ports). */
	readonly attachment: "captured" | "explicit";
	readonly namespace: string;
	readonly labels: ReadonlyMap<string, string>;
	/** Hostnames of services that the proxy's workload serves. */
	readonly services: readonly string[];
	/** SPIFFE ID; empty when no rule asks for it. */
	readonly identity: string;
}

/** Equal for equal scopes and different for different ones. */
export function scopeKey(scope: ProxyScope): string {
	return JSON.stringify([
		scope.kind,
		scope.gateway,
		scope.attachment,
		scope.namespace,
		[...scope.labels],
		scope.services,
		scope.identity,
	]);
}
