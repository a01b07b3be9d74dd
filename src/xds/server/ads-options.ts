import type { Clock } from "../../lib/clock.ts";
import type { Peer } from "../../lib/handler.ts";
import type { Logger } from "../../observability/logger.ts";
import type { NodeClaims } from "../parse-node.ts";
import type { Proof } from "../proof.ts";
import type { ProxyDirectory } from "../proxy-directory.ts";
import type { ResourceType } from "../resource-type.ts";
import type { Authentication } from "./authenticate.ts";
import type { ConnectedProxies } from "./connected-proxies.ts";

/** What one proxy may ask for. */
export interface AdsLimits {
	/**
	 * Names of one subscription. A sidecar of 5,000 services with three subsets
	 * each names the endpoints of 20,000 clusters.
	 */
	readonly maxNames: number;
	/** Resources of one type that a proxy may bring from an earlier stream: everything that a wildcard ever covers. */
	readonly maxKept: number;
	/** How long a cluster stays after nothing points there any more. */
	readonly removalDelayMs: number;
	/** Open streams of one proxy: more than a restart or a few processes with one identity need. */
	readonly maxStreamsPerProxy: number;
}

/** Limits that suit sidecars and gateways of a large mesh. */
export const defaultAdsLimits: AdsLimits = {
	maxNames: 20_000,
	maxKept: 100_000,
	removalDelayMs: 10_000,
	maxStreamsPerProxy: 16,
};

/** Is told what goes over the wire, for figures about our own process. */
export interface AdsFigures {
	/** A response was handed over for writing. */
	sent(type: ResourceType, resources: number, bytes: number): void;
	acknowledged(type: ResourceType): void;
	rejected(type: ResourceType): void;
}

/** What the aggregated discovery service needs. */
export interface AdsOptions {
	readonly directory: ProxyDirectory;
	/** Decides whether the peer is the proxy that it claims to be. Never throws. */
	readonly authenticate: (
		peer: Peer,
		claims: NodeClaims,
	) => Authentication | Promise<Authentication>;
	readonly connected: ConnectedProxies;
	/** What proxies have accepted so far; of this service alone unless it is given. */
	readonly proof?: Proof;
	readonly clock: Clock;
	readonly log: Logger;
	readonly figures?: AdsFigures;
	/** Instead of the defaults. */
	readonly limits?: Partial<AdsLimits>;
}
