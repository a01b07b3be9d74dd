// What streams ask again and again of resources that many proxies get together,
// found out once for all of them.

import { memoByInput, memoByInputs } from "../../lib/memo.ts";
import type { SharedSet } from "../proxy-resources.ts";
import type { Resource } from "../resource.ts";
import { tableOf } from "./table-of.ts";
import type { LookReason } from "./type-state.ts";

/** The resources, in the order of the map. */
export const listOf = memoByInput((set: SharedSet): readonly Resource[] => [
	...set.values(),
]);

/** Names of the clusters at which some of the resources point. */
export const clustersOf = memoByInput((set: SharedSet): readonly string[] => [
	...new Set(listOf(set).flatMap(({ clusters = [] }) => clusters)),
]);

/** Names of the route configurations to which virtual hosts belong. */
export const tablesOf = memoByInput((set: SharedSet): readonly string[] => [
	...new Set([...set.keys()].map(tableOf)),
]);

/** Names to look at because they may have changed. */
export const changedNames = memoByInput(
	(set: SharedSet): ReadonlyMap<string, LookReason> =>
		new Map([...set.keys()].map((name) => [name, "changed"])),
);

/** Names to look at because a proxy asks for them. */
export const askedNames = memoByInput(
	(names: readonly string[]): ReadonlyMap<string, LookReason> =>
		new Map(names.map((name) => [name, "forced"])),
);

/** Names of clusters whose endpoints are to be looked at once the clusters are sent. */
export const endpointsToSend = memoByInputs(
	(
		clusters: SharedSet,
		endpoints: SharedSet,
	): ReadonlyMap<string, LookReason> =>
		new Map(
			[...clusters.keys()]
				.filter((name) => endpoints.has(name))
				.map((name) => [name, "forced"]),
		),
);

/** Those resources that are to be looked at: the set itself when these are all. */
export const chosen = memoByInputs(
	(names: ReadonlyMap<string, LookReason>, set: SharedSet): SharedSet => {
		const found = [...set].filter(([name]) => names.has(name));
		return found.length === set.size ? set : new Map(found);
	},
);

/** Names that are to be looked at and of which there is no resource in the set. */
export const notIn = memoByInputs(
	(
		names: ReadonlyMap<string, LookReason>,
		set: SharedSet,
	): readonly (readonly [string, LookReason])[] =>
		[...names].filter(([name]) => !set.has(name)),
);
