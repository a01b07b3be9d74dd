import type { ProxyResources } from "../proxy-resources.ts";
import type { ResourceType } from "../resource-type.ts";
import type { TypeStates } from "./type-states.ts";

/**
 * A proxy that reconnects asks for its clusters first and says only in the next
 * requests which routes it still has. A type that was not asked for within this
 * time is taken as not used by this proxy.
 */
const silentTypeMs = 5000;

/**
 * Clusters that stay although nothing points there. When more are to go, the
 * oldest go at once: in Envoy each takes about 30 KB.
 */
const maxResting = 1000;

/** What decides about removals besides the state of each type. */
export interface RemovalOptions {
	readonly resources: ProxyResources;
	readonly types: TypeStates;
	/** Types with resources that may point at a cluster. */
	readonly pointingAtClusters: readonly ResourceType[];
	/** How long a cluster stays after nothing points there any more. */
	readonly removalDelayMs: number;
	/** When the stream began. */
	readonly startedMs: number;
	/** Asks to be asked again at this time. */
	readonly wakeBy: (atMs: number) => void;
}

/**
 * When what is gone may be removed from a proxy.
 *
 * Guarantees: a cluster is removed only after the proxy acknowledged that nothing
 *   points there, and after a delay for requests that are in flight; a route
 *   configuration only after the listeners that may name it.
 */
export class Removals {
	readonly #resources: ProxyResources;
	readonly #types: TypeStates;
	readonly #pointingAtClusters: readonly ResourceType[];
	readonly #removalDelayMs: number;
	readonly #startedMs: number;
	readonly #wakeBy: (atMs: number) => void;

	constructor(options: RemovalOptions) {
		this.#resources = options.resources;
		this.#types = options.types;
		this.#pointingAtClusters = options.pointingAtClusters;
		this.#removalDelayMs = options.removalDelayMs;
		this.#startedMs = options.startedMs;
		this.#wakeBy = options.wakeBy;
	}

	/** What is to be removed now; it no longer counts as going. */
	take(type: ResourceType, nowMs: number): readonly string[] {
		const state = this.#types[type];
		const taken: string[] = [];
		if (type === "cluster") {
			this.#rest(nowMs);
			for (const [name, sinceMs] of state.resting) {
				if (!this.#hasRested(sinceMs, nowMs)) break;
				state.resting.delete(name);
				taken.push(name);
			}
			return taken;
		}
		for (const [name, change] of state.removals) {
			if (!this.#mayBeRemoved(type, name, change, nowMs)) continue;
			state.removals.delete(name);
			taken.push(name);
		}
		return taken;
	}

	/**
	 * Begins the rest of the clusters at which nothing points any more. A request
	 * that a rule delays, or that is tried again, looks for its cluster long after
	 * its route was chosen.
	 */
	#rest(nowMs: number): void {
		const state = this.#types.cluster;
		if (state.removals.size === 0) return;
		const kept = this.#keptClusters();
		if (kept === "any") return;
		for (const [name, change] of state.removals) {
			// They stand in the order in which they went: what must wait for an older change must wait for the newer ones, too.
			if (!this.#nothingPointsSince(change, nowMs)) return;
			if (kept.has(name)) continue;
			state.removals.delete(name);
			state.resting.set(name, nowMs);
		}
	}

	/**
	 * Clusters at which something points that the proxy goes on using, because it
	 * refused what should have replaced it; "any" when nobody knows what that says.
	 */
	#keptClusters(): ReadonlySet<string> | "any" {
		const kept = new Set<string>();
		for (const type of this.#pointingAtClusters) {
			const { held, rejected } = this.#types[type];
			for (const name of rejected.keys()) {
				const older = held.get(name);
				if (typeof older === "string") return "any";
				for (const cluster of older?.clusters ?? []) kept.add(cluster);
			}
		}
		return kept;
	}

	#nothingPointsSince(change: number, nowMs: number): boolean {
		return this.#pointingAtClusters.every((pointing) =>
			this.#isSettled(pointing, change, nowMs),
		);
	}

	#hasRested(sinceMs: number, nowMs: number): boolean {
		const untilMs = sinceMs + this.#removalDelayMs;
		const { resting } = this.#types.cluster;
		if (untilMs <= nowMs || resting.size > maxResting) return true;
		this.#wakeBy(untilMs);
		return false;
	}

	/** Whether nothing points any more at a resource that was gone at `change`; clusters rest besides. */
	#mayBeRemoved(
		type: Exclude<ResourceType, "cluster">,
		name: string,
		change: number,
		nowMs: number,
	): boolean {
		switch (type) {
			case "endpoint":
				// Envoy drops the endpoints with the cluster: of one that is to go, they go after it.
				return (
					!this.#types.cluster.hasSent(name) ||
					this.#resources.get("cluster", name) !== undefined
				);
			case "route":
				return (
					this.#isSettled("listener", change, nowMs) &&
					!this.#keepsOlderListener()
				);
			case "listener":
			case "virtualHost":
				return true;
		}
	}

	/** Whether something is to be removed now. */
	areDue(type: ResourceType, nowMs: number): boolean {
		const state = this.#types[type];
		// Asked of every type of every stream for each change: nothing is made where there is nothing.
		if (type === "cluster") {
			if (state.hasNoRemovals) return false;
			this.#rest(nowMs);
			for (const sinceMs of state.resting.values()) {
				return this.#hasRested(sinceMs, nowMs);
			}
			return false;
		}
		if (state.removals.size === 0) return false;
		for (const [name, change] of state.removals) {
			if (this.#mayBeRemoved(type, name, change, nowMs)) return true;
		}
		return false;
	}

	/** Whether the proxy goes on with a listener that it did not let be replaced, which may name any route configuration. */
	#keepsOlderListener(): boolean {
		const { held, rejected } = this.#types.listener;
		for (const name of rejected.keys()) if (held.has(name)) return true;
		return false;
	}

	/** Whether the proxy has answered for everything of this type up to a change. */
	#isSettled(type: ResourceType, change: number, nowMs: number): boolean {
		const state = this.#types[type];
		if (state.subscription === undefined) {
			// What a proxy has said lies before its answers, and one that does not answer may not have said all.
			if (this.#types.cluster.inFlight !== undefined) return false;
			const silentAtMs = this.#startedMs + silentTypeMs;
			if (nowMs >= silentAtMs) return true;
			this.#wakeBy(silentAtMs);
			return false;
		}
		if (state.pending.size > 0 && state.pendingSince <= change) return false;
		if (!state.apart.isEmpty) return false;
		if (state.inFlight !== undefined && state.inFlight.since <= change) {
			return false;
		}
		return state.removals.size === 0;
	}
}
