import { parseObject } from "../api/parse-object.ts";
import {
	digestContent,
	type IgnoredManifest,
	type Manifest,
} from "./manifest.ts";
import {
	type ParsedDocument,
	parseDocument,
	type Syntax,
} from "./parse-document.ts";
import { type DocumentText, splitDocuments } from "./split-documents.ts";
import type { Spot } from "./spot.ts";

/**
 * The largest object read, 1.5 MiB: the default limit of etcd for a request, so
 * that a file which works here works in a cluster too.
 */
const MAX_OBJECT_BYTES = 1.5 * 1024 * 1024;

/** Why a document cannot be read as objects at all. */
export interface BrokenDocument {
	readonly spot: Spot;
	readonly message: string;
}

/** What one document holds. Places are relative to it, so that it can move within its file. */
export interface DocumentContent {
	readonly manifests: readonly Manifest[];
	readonly ignored: readonly IgnoredManifest[];
	readonly broken: readonly BrokenDocument[];
}

/** One document of a file and where it starts. */
export interface FileDocument {
	readonly text: string;
	readonly linesBefore: number;
	readonly content: DocumentContent;
}

/**
 * Parses the text of a file into its documents.
 *
 * A document whose text is among `previous` keeps its content: one edit in a
 * file of 10,000 objects parses one object.
 *
 * `pause` is awaited between documents and between the items of a List.
 *
 * @param namespace of objects that name none; `default` by default
 */
export async function parseFile(
	text: string,
	syntax: Syntax,
	previous: readonly FileDocument[],
	pause: () => Promise<void>,
	namespace?: string,
): Promise<readonly FileDocument[]> {
	const known = new Map(previous.map(({ text, content }) => [text, content]));
	const documents: FileDocument[] = [];
	for (const piece of documentsOf(text, syntax)) {
		const content =
			known.get(piece.text) ??
			(await parseContent(
				piece.text,
				new ContentBuilder(syntax, namespace),
				pause,
			));
		documents.push({ ...piece, content });
		await pause();
	}
	return documents;
}

function documentsOf(text: string, syntax: Syntax): readonly DocumentText[] {
	return syntax === "json" ? [{ text, linesBefore: 0 }] : splitDocuments(text);
}

async function parseContent(
	text: string,
	content: ContentBuilder,
	pause: () => Promise<void>,
): Promise<DocumentContent> {
	// Parsing takes a while at this size, so a plain object is refused before it; a List may be long.
	const size = Buffer.byteLength(text);
	if (size > MAX_OBJECT_BYTES && !looksLikeList(text)) {
		content.addTooLarge(size, { line: 1, column: 1 });
		return content;
	}
	const document = parseDocument(text, content.syntax);
	switch (document.kind) {
		case "empty":
			return content;
		case "broken":
			content.broken.push({ spot: document.spot, message: document.message });
			return content;
		case "value": {
			const items = listItems(document.value);
			if (items === undefined) {
				content.addObject(document.value, "", document);
				return content;
			}
			for (const [index, item] of items.entries()) {
				content.addObject(item, `items[${index}]`, document);
				await pause();
			}
			return content;
		}
	}
}

type ValueDocument = Extract<ParsedDocument, { readonly kind: "value" }>;

class ContentBuilder implements DocumentContent {
	readonly manifests: Manifest[] = [];
	readonly ignored: IgnoredManifest[] = [];
	readonly broken: BrokenDocument[] = [];
	readonly syntax: Syntax;
	readonly #namespace: string | undefined;

	constructor(syntax: Syntax, namespace: string | undefined) {
		this.#namespace = namespace;
		this.syntax = syntax;
	}

	addTooLarge(size: number, spot: Spot): void {
		const mebibytes = (size / 1024 / 1024).toFixed(1);
		this.broken.push({
			spot,
			message: `The object is ${mebibytes} MiB; the limit is 1.5 MiB, as in Kubernetes. Split it into several objects.`,
		});
	}

	addObject(value: unknown, at: string, document: ValueDocument): void {
		const spot = this.#spot(document, at);
		// Only in a List, as a document of its own is refused before it is parsed.
		const size = at === "" ? 0 : Buffer.byteLength(JSON.stringify(value));
		if (size > MAX_OBJECT_BYTES) {
			this.addTooLarge(size, spot());
			return;
		}
		const parsed = parseObject(withNamespace(value, this.#namespace));
		switch (parsed.kind) {
			case "ignored": {
				const { apiVersion, kindName } = parsed;
				this.ignored.push({ apiVersion, kindName, spot });
				return;
			}
			case "object": {
				const { kind, metadata } = parsed.object;
				const { namespace, name } = metadata;
				this.manifests.push({
					ref: { kind, namespace, name },
					spot,
					...factsOf(value),
					result: { kind: "object", object: parsed.object },
				});
				return;
			}
			case "invalid": {
				const { ref } = parsed.invalid;
				const violations = parsed.invalid.violations.map((violation) => ({
					violation,
					spot: document.spotOf(joinPath(at, violation.path)),
				}));
				// What cannot be named can be no object's last good form, so the file keeps all of its own.
				if (ref.kind === "" || ref.name === "") {
					for (const { violation, spot: where } of violations) {
						this.broken.push({ spot: where, message: violation.message });
					}
					return;
				}
				this.manifests.push({
					ref,
					spot,
					...factsOf(value),
					result: { kind: "invalid", violations },
				});
				return;
			}
		}
	}

	/**
	 * The place of an object. The nodes of YAML are at hand now and should not stay
	 * in memory; those of JSON would have to be made, which few places are worth.
	 */
	#spot(document: ValueDocument, at: string): () => Spot {
		return this.syntax === "json"
			? () => document.spotOf(at)
			: always(document.spotOf(at));
	}
}

/** A function of its own, as a closure keeps everything that its neighbours use alive. */
function always<T>(value: T): () => T {
	return () => value;
}

function factsOf(
	value: unknown,
): Pick<Manifest, "generation" | "contentDigest"> {
	if (!isRecord(value)) return { generation: undefined, contentDigest: "" };
	const { metadata } = value;
	const generation = isRecord(metadata) ? metadata["generation"] : undefined;
	return {
		generation: typeof generation === "number" ? generation : undefined,
		contentDigest: digestContent(value),
	};
}

/** The items of what `kubectl get -o yaml` prints: a List, or a list of one kind. */
function listItems(value: unknown): readonly unknown[] | undefined {
	if (!isRecord(value)) return undefined;
	const { kind, items } = value;
	if (typeof kind !== "string" || !kind.endsWith("List")) return undefined;
	if (kind === "List" && items === undefined) return [];
	return Array.isArray(items) ? items : undefined;
}

function looksLikeList(text: string): boolean {
	return /(^|[\s{,"])kind"?:\s*"?\w*List\b/.test(text);
}

function joinPath(base: string, path: string): string {
	if (base === "" || path === "") return base + path;
	return path.startsWith("[") ? base + path : `${base}.${path}`;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value in this namespace, if it is an object that names none. */
function withNamespace(value: unknown, namespace: string | undefined): unknown {
	if (namespace === undefined || !isRecord(value)) return value;
	const metadata = value["metadata"];
	if (!isRecord(metadata) || (metadata["namespace"] ?? "") !== "") return value;
	return { ...value, metadata: { ...metadata, namespace } };
}
