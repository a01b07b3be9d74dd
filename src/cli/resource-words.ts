import { nearestName } from "../lib/nearest-name.ts";
import type { ResourceType } from "../xds/resource-type.ts";

/** A type of resource as people name it. */
export interface ResourceWord {
	readonly type: ResourceType;
	/** As commands and the admin API take it. */
	readonly word: string;
	readonly one: string;
	readonly many: string;
}

/** Every type, in the order in which a request meets them. */
export const resourceWords: readonly ResourceWord[] = [
	{ type: "listener", word: "listeners", one: "listener", many: "listeners" },
	{
		type: "route",
		word: "routes",
		one: "route configuration",
		many: "route configurations",
	},
	{
		type: "virtualHost",
		word: "virtualhosts",
		one: "virtual host",
		many: "virtual hosts",
	},
	{ type: "cluster", word: "clusters", one: "cluster", many: "clusters" },
	{
		type: "endpoint",
		word: "endpoints",
		one: "endpoint list",
		many: "endpoint lists",
	},
];

/** The type of this word, or undefined. */
export function typeOfWord(word: string): ResourceWord | undefined {
	return resourceWords.find((one) => one.word === word);
}

/** The word that was probably meant, as the end of a sentence. */
export function hintFor(typed: string, known: Iterable<string>): string {
	const near = nearestName(typed, known);
	return near === undefined ? "" : ` Did you mean ${near}?`;
}
