import type { ProxyResources, SharedSet } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import { missingNames, SharedBases, SharedMap } from "./shared-map.ts";
import { clustersOf } from "./shared-set.ts";
import type { LookReason } from "./type-state.ts";
import type { TypeStates } from "./type-states.ts";

const coldOfProxies = new SharedBases<LookReason>();

/**
 * Which clusters a proxy can use: it has acknowledged them and was sent their
 * endpoints after them. Until then a route to one answers 503, so what points at
 * it waits.
 */
export class ClusterReadiness {
	readonly #resources: ProxyResources;
	readonly #types: TypeStates;
	/** Clusters that the proxy got new and whose endpoints it was not sent since; Envoy does not use them yet. */
	readonly #cold = new SharedMap(coldOfProxies);

	constructor(resources: ProxyResources, types: TypeStates) {
		this.#resources = resources;
		this.#types = types;
	}

	/**
	 * Whether a resource points at a cluster that the proxy is to have and cannot
	 * use yet. One that it refuses for certain is not waited for: what else the
	 * resource says must not suffer.
	 */
	mustWait({ clusters }: Resource): boolean {
		return clusters?.some((name) => this.#isAwaited(name)) === true;
	}

	/** Whether one of these must wait. */
	oneMustWait(resources: SharedSet): boolean {
		if (this.#hasAll()) return false;
		return clustersOf(resources).some((name) => this.#isAwaited(name));
	}

	/** Whether the proxy can use every cluster that there is. */
	#hasAll(): boolean {
		const { inFlight, held } = this.#types.cluster;
		if (inFlight !== undefined || this.#cold.size > 0) return false;
		const { shared, others } = this.#resources.split("cluster");
		return held.includesAll(shared) && others.every((name) => held.has(name));
	}

	#isAwaited(cluster: string): boolean {
		const { subscription, inFlight, held } = this.#types.cluster;
		if (subscription?.covers(cluster) !== true) return false;
		if (this.#resources.get("cluster", cluster) === undefined) return false;
		const isGoing =
			inFlight?.sent.has(cluster) === true &&
			!this.#types.cluster.hasSent(cluster);
		if (!isGoing && held.has(cluster)) return this.#lacksEndpoints(cluster);
		return !this.#types.cluster.isCondemned(cluster);
	}

	/** Whether the proxy got a cluster and was not sent its endpoints since. */
	isCold(cluster: string): boolean {
		return this.#cold.has(cluster);
	}

	/** Notes that the proxy has a cluster, or is being sent it, and has not its endpoints. */
	noteCold(cluster: string): void {
		this.#cold.set(cluster, "forced");
	}

	/** Notes that the proxy is being sent its first clusters and has not the endpoints of these. */
	noteAllCold(clusters: ReadonlyMap<string, LookReason>): void {
		if (this.#cold.size === 0) this.#cold.adopt(clusters);
		else for (const name of clusters.keys()) this.noteCold(name);
	}

	/** Notes that the proxy has the endpoints of a cluster, or is being sent them. */
	noteWarm(cluster: string): void {
		this.#cold.delete(cluster);
	}

	/** Notes that the proxy is being sent the endpoints of all these clusters. */
	noteAllWarm(endpoints: SharedSet): void {
		if (this.#cold.size === 0) return;
		const { base, own } = this.#cold.parts;
		if (own.size === 0 && missingNames(endpoints, base).length === 0) {
			this.#cold.clear();
		} else for (const name of endpoints.keys()) this.noteWarm(name);
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
