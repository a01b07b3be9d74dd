import { deepEqual } from "../lib/deep-equal.ts";

/** A ConfigMap with our name in some namespace. */
export interface SeenCopy {
	readonly data: Readonly<Record<string, string>>;
	/** Whether it says that it is a copy of ours. */
	readonly isCopy: boolean;
}

/** What is to be done in which namespaces, in order. */
export interface TrustBundleDecision {
	readonly apply: readonly string[];
	readonly remove: readonly string[];
}

/**
 * Where the authorities must be copied to, and where a copy is of no use any more.
 *
 * Guarantees: takes trust from nobody because there is no bundle; removes only what says that it is a copy.
 *
 * @param data of every copy; undefined while there are no authorities
 * @param wanted namespaces that have injected pods or may get some
 * @param seen by namespace
 */
export function decideTrustBundles(
	data: Readonly<Record<string, string>> | undefined,
	wanted: ReadonlySet<string>,
	seen: ReadonlyMap<string, SeenCopy>,
): TrustBundleDecision {
	if (data === undefined) return { apply: [], remove: [] };
	return {
		apply: [...wanted]
			.filter((namespace) => {
				const copy = seen.get(namespace);
				return (
					copy === undefined || !copy.isCopy || !deepEqual(copy.data, data)
				);
			})
			.sort(),
		remove: [...seen]
			.filter(([namespace, { isCopy }]) => isCopy && !wanted.has(namespace))
			.map(([namespace]) => namespace)
			.sort(),
	};
}
