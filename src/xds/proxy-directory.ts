import type { Proxy } from "./proxy.ts";
import type { ProxyResources } from "./proxy-resources.ts";

/** The resources of one connected proxy, until it is released. */
export interface AttachedProxy {
	readonly resources: ProxyResources;
	/** The stream has ended; to be called exactly once. */
	release(): void;
}

/** Finds the resources of a proxy. What `server/` needs of whoever makes them. */
export interface ProxyDirectory {
	/**
	 * @param variant `delta` proxies get virtual hosts as resources of their own (VHDS, which exists only
	 *   there); `sotw` ones get whole route configurations.
	 */
	attach(proxy: Proxy, variant: "delta" | "sotw"): AttachedProxy;
}
