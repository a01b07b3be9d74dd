import type { HeldView } from "./catalog/distribution.ts";
import type { Proxy } from "./proxy.ts";
import type { ProxyResources } from "./proxy-resources.ts";
import type { Resource } from "./resource.ts";

/** The resources of one connected proxy, until it is released. */
export interface AttachedProxy {
	readonly resources: ProxyResources;
	/** The proxy had everything for the first time, or had long enough for it: from now on it counts in the status of objects. */
	count(view: HeldView): void;
	/** The proxy has acknowledged some versions, and no longer has others. */
	held(gained: readonly string[], lost: readonly string[]): void;
	/** The proxy rejected these. */
	rejected(resources: readonly Resource[]): void;
	/** The stream has ended; what its view said it holds can still be read. To be called exactly once. */
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
