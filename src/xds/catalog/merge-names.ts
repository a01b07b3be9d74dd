import type { ChangedNames } from "../proxy-resources.ts";
import { ChangeCollector } from "./resource-layer.ts";

/** Everything that changed; where only one says something, its names as they are. */
export function mergeNames(
	...collected: readonly ({ readonly names: ChangedNames } | undefined)[]
): ChangedNames {
	const some = collected.filter((one) => one && one.names.size > 0);
	if (some.length === 1 && some[0]) return some[0].names;
	const all = new ChangeCollector();
	for (const one of some) {
		for (const [type, names] of one?.names ?? []) {
			for (const name of names) all.add(type, name);
		}
	}
	return all.names;
}
