import type { Resource } from "../xds/resource.ts";
import type { ResourceType } from "../xds/resource-type.ts";
import { type ResourceWord, resourceWords } from "./resource-words.ts";

/** One resource that is not the same before and after. */
export interface ResourceChange {
	readonly word: ResourceWord;
	readonly name: string;
	readonly change: "added" | "changed" | "removed";
	readonly before: Resource | undefined;
	readonly after: Resource | undefined;
}

type Rendered = ReadonlyMap<ResourceType, readonly Resource[]>;

/** What is not the same, by type in the order in which a request meets them, then by name. */
export function changesOf(
	before: Rendered,
	after: Rendered,
): readonly ResourceChange[] {
	return resourceWords.flatMap((word) => {
		const old = byName(before.get(word.type));
		const now = byName(after.get(word.type));
		return [...new Set([...old.keys(), ...now.keys()])]
			.sort()
			.flatMap((name) => changeOf(word, name, old.get(name), now.get(name)));
	});
}

/** The change of one resource; none when it is the same. */
export function changeOf(
	word: ResourceWord,
	name: string,
	before: Resource | undefined,
	after: Resource | undefined,
): readonly ResourceChange[] {
	if (before?.version === after?.version) return [];
	const change =
		before === undefined
			? "added"
			: after === undefined
				? "removed"
				: "changed";
	return [{ word, name, change, before, after }];
}

/** `1 virtual host changed, 2 clusters added`. */
export function summarizeChanges(changes: readonly ResourceChange[]): string {
	if (changes.length === 0) return "no change";
	return resourceWords
		.flatMap(({ type, one, many }) =>
			(["added", "changed", "removed"] as const).flatMap((change) => {
				const count = changes.filter(
					(item) => item.word.type === type && item.change === change,
				).length;
				return count === 0
					? []
					: [`${count} ${count === 1 ? one : many} ${change}`];
			}),
		)
		.join(", ");
}

function byName(
	resources: readonly Resource[] = [],
): ReadonlyMap<string, Resource> {
	return new Map(resources.map((resource) => [resource.name, resource]));
}
