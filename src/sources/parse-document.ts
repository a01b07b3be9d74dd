import {
	type Document,
	isMap,
	isNode,
	isScalar,
	isSeq,
	type Node,
	parseDocument as parseYamlDocument,
	visit,
} from "yaml";
import { type Spot, spotAt, spotFinder } from "./spot.ts";

/** The syntax of a document: YAML, or JSON and nothing more. */
export type Syntax = "yaml" | "json";

/** What the text of one document holds. Places are relative to the text. */
export type ParsedDocument =
	| { readonly kind: "empty" }
	| {
			readonly kind: "value";
			readonly value: unknown;
			/** Where a field stands, or its nearest ancestor that is there. Path as in `Violation`. */
			readonly spotOf: (path: string) => Spot;
	  }
	| { readonly kind: "broken"; readonly spot: Spot; readonly message: string };

/**
 * How often aliases may be followed, counting those inside what an alias names.
 * Each use costs as much as writing the content out, so ten short lines of
 * aliases to aliases would otherwise be gigabytes.
 */
const MAX_ALIAS_COUNT = 100;

/**
 * How many more brackets a text may open than close. The library gives up at
 * about a thousand levels, but goes through all of the text first.
 */
const MAX_OPEN_BRACKETS = 10_000;

/**
 * Parses one document.
 *
 * Guarantees: never throws; the value is plain data without cycles; a key that
 *   stands twice in a map is an error (YAML only: JSON takes the last one).
 */
export function parseDocument(text: string, syntax: Syntax): ParsedDocument {
	return syntax === "json" ? parseJson(text) : parseYaml(text);
}

function parseYaml(text: string): ParsedDocument {
	if (opensTooMany(text)) {
		return broken({ line: 1, column: 1 }, "The document is nested too deeply.");
	}
	const document = readYaml(text);
	const error = document.errors[0];
	if (error !== undefined) {
		return broken(
			spotAt(text, error.pos[0]),
			error.code === "RESOURCE_EXHAUSTION"
				? "The document is nested too deeply."
				: `The YAML does not parse: ${sentence(error.message)}`,
		);
	}
	if (document.contents === null) return { kind: "empty" };
	const twice = findRepeatedKey(document);
	if (twice !== undefined) {
		return broken(
			spotAt(text, twice.offset),
			`The key ${JSON.stringify(twice.key)} stands twice in one map. Remove one of them.`,
		);
	}
	try {
		const value: unknown = document.toJS({ maxAliasCount: MAX_ALIAS_COUNT });
		if (value === null) return { kind: "empty" };
		// An alias inside its own anchor makes a cycle, which nothing after this expects.
		JSON.stringify(value);
		const spotOf = spotFinder(text);
		return {
			kind: "value",
			value,
			spotOf: (path) => spotOf(findOffset(document, path)),
		};
	} catch (error) {
		return broken(spotAt(text, document.range?.[0] ?? 0), refusal(error));
	}
}

function parseJson(text: string): ParsedDocument {
	if (text.trim() === "") return { kind: "empty" };
	try {
		const value: unknown = JSON.parse(text);
		const spotOf = spotFinder(text);
		// JSON is YAML. Its nodes are made only when something is wrong, as they
		// take long, and may be collected again, as they are large.
		let nodes: WeakRef<Document.Parsed> | undefined;
		return {
			kind: "value",
			value,
			spotOf(path) {
				const document = nodes?.deref() ?? readYaml(text);
				nodes = new WeakRef(document);
				return spotOf(findOffset(document, path));
			},
		};
	} catch (error) {
		const message = error instanceof Error ? error.message : String(error);
		return broken(
			jsonErrorSpot(text, message),
			`The JSON does not parse: ${sentence(message)}`,
		);
	}
}

function opensTooMany(text: string): boolean {
	if (text.length < MAX_OPEN_BRACKETS) return false;
	let open = 0;
	for (let at = 0; at < text.length; at++) {
		const character = text[at];
		if (character === "[" || character === "{") open++;
		else if (character === "]" || character === "}") open--;
		if (open > MAX_OPEN_BRACKETS) return true;
	}
	return false;
}

function readYaml(text: string): Document.Parsed {
	return parseYamlDocument(text, {
		merge: true,
		prettyErrors: false,
		logLevel: "silent",
		// The library compares every key with every other; `findRepeatedKey` does not.
		uniqueKeys: false,
	});
}

function broken(spot: Spot, message: string): ParsedDocument {
	return { kind: "broken", spot, message };
}

function refusal(error: unknown): string {
	if (error instanceof ReferenceError) {
		return `Too much comes from YAML aliases (limit ${MAX_ALIAS_COUNT}). Write the values out.`;
	}
	if (error instanceof TypeError) {
		return "A YAML alias contains itself. Write the value out.";
	}
	if (error instanceof RangeError) return "The document is nested too deeply.";
	throw error;
}

function findRepeatedKey(
	document: Document.Parsed,
): { readonly key: string; readonly offset: number } | undefined {
	let found: { readonly key: string; readonly offset: number } | undefined;
	visit(document, {
		Map(_, map) {
			const seen = new Set<string>();
			for (const { key } of map.items) {
				if (!isScalar(key) || key.value === "<<") continue;
				const name = String(key.value);
				if (seen.has(name)) {
					found = { key: name, offset: key.range?.[0] ?? 0 };
					return visit.BREAK;
				}
				seen.add(name);
			}
			return undefined;
		},
	});
	return found;
}

/**
 * V8 names the place in most messages. Of an unexpected token it quotes the
 * surroundings instead, cut off ten characters before the token; otherwise the
 * text ended too early.
 */
function jsonErrorSpot(text: string, message: string): Spot {
	const position = /at position (\d+)/.exec(message)?.[1];
	if (position !== undefined) return spotAt(text, Number(position));
	const quoted =
		/^Unexpected token '(.*?)', (\.\.\.)?"(.*?)"(?:\.\.\.)? is not/s;
	const [, token, cut, piece] = quoted.exec(message) ?? [];
	if (token === undefined || piece === undefined) {
		return spotAt(text, text.trimEnd().length);
	}
	const start = Math.max(0, text.indexOf(piece));
	if (cut !== undefined) return spotAt(text, start + 10);
	return spotAt(text, Math.max(0, text.indexOf(token, start)));
}

function sentence(message: string): string {
	return /[.!?]$/.test(message) ? message : `${message}.`;
}

function findOffset(document: Document.Parsed, path: string): number {
	let node: Node | null = document.contents;
	let offset = node?.range?.[0] ?? 0;
	for (const segment of pathSegments(path)) {
		if (isMap(node)) {
			const pair = node.items.find(
				({ key }) => isScalar(key) && String(key.value) === segment,
			);
			if (pair === undefined || !isScalar(pair.key)) break;
			offset = pair.key.range?.[0] ?? offset;
			node = isNode(pair.value) ? pair.value : null;
		} else if (isSeq(node)) {
			const item: unknown = node.items[Number(segment)];
			if (!isNode(item)) break;
			offset = item.range?.[0] ?? offset;
			node = item;
		} else break;
	}
	return offset;
}

/** Splits `spec.route[0].labels[a.b/c]` into its field names, indexes and keys. */
function pathSegments(path: string): readonly string[] {
	const segments: string[] = [];
	for (const match of path.matchAll(/\[([^\]]*)\]|([^.[\]]+)/g)) {
		segments.push(match[1] ?? match[2] ?? "");
	}
	return segments;
}
