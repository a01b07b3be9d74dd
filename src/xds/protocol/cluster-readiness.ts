import type { ProxyResources } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import type { TypeStates } from "./type-states.ts";

/**
 * Which clusters a proxy can use: it has acknowledged them and was sent their
 * endpoints after them. Until then a route to one answers 503, so what points at
 * it waits.
 */
export class ClusterReadiness {
	readonly #resources: ProxyResources;
	readonly #types: TypeStates;
	/** Clusters that the proxy got new and whose endpoints it was not sent since; Envoy does not use them yet. */
	readonly #cold = new Set<string>();

	constructor(resources: ProxyResources, types: TypeStates) {
		this.#resources = resources;
		this.#types = types;
	}

	/**
	 * Whether a resource points at a cluster that the proxy is to have and cannot
	 * use yet. One that it refuses for certain is not waited for: what else the
	 * resource says must not suffer.
	 */
	mustWait({ clusters = [] }: Resource): boolean {
		const { subscription, inFlight, held } = this.#types.cluster;
		if (subscription === undefined) return false;
		return clusters.some((name) => {
			if (!subscription.covers(name)) return false;
			if (this.#resources.get("cluster", name) === undefined) return false;
			const isGoing =
				inFlight?.sent.has(name) === true && !this.#types.cluster.hasSent(name);
			if (!isGoing && held.has(name)) return this.#lacksEndpoints(name);
			return !this.#types.cluster.isCondemned(name);
		});
	}

	/** Whether the proxy got a cluster and was not sent its endpoints since. */
	isCold(cluster: string): boolean {
		return this.#cold.has(cluster);
	}

	/** Notes that the proxy has a cluster, or is being sent it, and has not its endpoints. */
	noteCold(cluster: string): void {
		this.#cold.add(cluster);
	}

	/** Notes that the proxy has the endpoints of a cluster, or is being sent them. */
	noteWarm(cluster: string): void {
		this.#cold.delete(cluster);
	}

	/** Notes that the proxy does not have a cluster any more; Envoy drops its endpoints with it. */
	lose(cluster: string): void {
		this.#cold.delete(cluster);
		this.#types.endpoint.lose(cluster);
	}

	#lacksEndpoints(cluster: string): boolean {
		return (
			this.#cold.has(cluster) &&
			this.#types.endpoint.subscription !== undefined &&
			this.#resources.get("endpoint", cluster) !== undefined
		);
	}
}
