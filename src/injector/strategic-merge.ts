import { isRecord } from "../api/fields.ts";
import { fieldOf, type Json } from "./json.ts";

/** What tells the items of a list apart, by the list's field; other lists are replaced as a whole. */
const mergeKeys: Readonly<Record<string, string>> = {
	containers: "name",
	env: "name",
	hostAliases: "ip",
	imagePullSecrets: "name",
	initContainers: "name",
	ports: "containerPort",
	topologySpreadConstraints: "topologyKey",
	volumeDevices: "devicePath",
	volumeMounts: "mountPath",
	volumes: "name",
};

/**
 * Lays one form of an object over another as `kubectl patch` does (strategic
 * merge): objects field by field, lists of named things item by item, other
 * lists as a whole; null takes a field out, `$patch: delete` an item, and
 * `$patch: replace` puts an object in the place of the one below.
 *
 * Guarantees: merging the same again changes nothing.
 */
export function strategicMerge(below: Json, above: Json): Json {
	if (above["$patch"] === "replace") return withoutDirective(above);
	const merged: Record<string, unknown> = { ...below };
	for (const [name, value] of Object.entries(withoutDirective(above))) {
		if (value === null) delete merged[name];
		else setOwn(merged, name, mergeValue(name, fieldOf(below, name), value));
	}
	return merged;
}

function mergeValue(name: string, below: unknown, above: unknown): unknown {
	if (isRecord(above))
		return strategicMerge(isRecord(below) ? below : {}, above);
	const key = Object.hasOwn(mergeKeys, name) ? mergeKeys[name] : undefined;
	if (!Array.isArray(above) || key === undefined) return above;
	return mergeLists(Array.isArray(below) ? below : [], above, key);
}

function mergeLists(
	below: readonly unknown[],
	above: readonly unknown[],
	key: string,
): readonly unknown[] {
	let merged = [...below];
	for (const item of above) {
		if (!isRecord(item)) continue;
		const at = merged.findIndex(
			(one) => isRecord(one) && one[key] === item[key],
		);
		if (item["$patch"] === "delete")
			merged = merged.filter((_, index) => index !== at);
		else if (at === -1) merged.push(strategicMerge({}, item));
		else {
			const known = merged[at];
			merged[at] = strategicMerge(isRecord(known) ? known : {}, item);
		}
	}
	return merged;
}

function withoutDirective(of: Json): Json {
	const { $patch: _, ...rest } = of;
	return rest;
}

/** A field may be called `__proto__`; assigning it would not make one. */
function setOwn(of: object, name: string, value: unknown): void {
	Object.defineProperty(of, name, {
		value,
		configurable: true,
		enumerable: true,
		writable: true,
	});
}
