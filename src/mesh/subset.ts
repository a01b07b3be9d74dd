import type { Endpoint } from "./endpoint.ts";

/** How much of the traffic to a cluster may be retries at one time. */
export interface RetryBudget {
	/** Percent of the active requests. */
	readonly percent: number;
	/** Retries that are always allowed. */
	readonly minConcurrency: number;
}

/**
 * One way to call a service: which endpoints, and the settings of the whole
 * cluster that routes to it ask for. Each becomes one Envoy cluster per port.
 */
export interface Subset {
	/** Printed form, unique within the service, such as `version=v2`; empty for all endpoints without further settings. */
	readonly name: string;
	/** Labels that an endpoint must have. */
	readonly labels: Readonly<Record<string, string>>;
	/** Requests with the same hash go to the same endpoint (RouteRule `affinity`). */
	readonly hashed: boolean;
	readonly retryBudget?: RetryBudget;
}

/** True when the endpoint has every label of the subset. */
export function selectsEndpoint(subset: Subset, endpoint: Endpoint): boolean {
	for (const key in subset.labels) {
		if (endpoint.labels[key] !== subset.labels[key]) return false;
	}
	return true;
}

/** All endpoints, without further settings: the subset of the default route. */
export const wholeService: Subset = { name: "", labels: {}, hashed: false };

/**
 * The subset with these settings. Its name is the labels in order of their keys
 * (`k=v,k2=v2`), then `~hash`, then `~budget=<percent>:<minConcurrency>`, as far
 * as each applies. None of the separators can stand in a label.
 */
export function subsetOf(
	labels: Readonly<Record<string, string>>,
	hashed: boolean,
	retryBudget: RetryBudget | undefined,
): Subset {
	const keys = Object.keys(labels).sort();
	if (keys.length === 0 && !hashed && retryBudget === undefined) {
		return wholeService;
	}
	const printed = keys.map((key) => `${key}=${labels[key]}`).join(",");
	const hash = hashed ? "~hash" : "";
	const budget =
		retryBudget === undefined
			? ""
			: `~budget=${retryBudget.percent}:${retryBudget.minConcurrency}`;
	return {
		name: `${printed}${hash}${budget}`,
		labels: Object.fromEntries(keys.map((key) => [key, labels[key] ?? ""])),
		hashed,
		...(retryBudget !== undefined && { retryBudget }),
	};
}
