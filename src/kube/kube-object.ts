import { isRecord } from "../api/fields.ts";
import { KubeError } from "./kube-error.ts";

/** An object as the API server answers it. */
export interface KubeObject {
	readonly metadata: KubeObjectMeta;
	/** The whole object, unchecked. */
	readonly content: Readonly<Record<string, unknown>>;
}

/** What every stored object has. */
export interface KubeObjectMeta {
	/** Empty for cluster-scoped kinds. */
	readonly namespace: string;
	readonly name: string;
	/** Tells an object from an earlier one of the same name. */
	readonly uid: string;
	/** Changes with every change of the object; to be compared for equality only. */
	readonly resourceVersion: string;
}

/** One page of a collection. */
export interface KubePage {
	readonly items: readonly KubeObject[];
	/** Where the next page begins; undefined after the last one. */
	readonly next: string | undefined;
	/** Of the moment that the whole list is from. */
	readonly resourceVersion: string;
}

/**
 * Reads an object.
 *
 * Fails when: the text is no object with a name, a uid and a resource version.
 */
export function parseKubeObject(text: string): KubeObject {
	const object = objectFrom(parseJson(text));
	if (object === undefined) throw senseless("an object");
	return object;
}

/**
 * Reads a list; what in it is no object is left out.
 *
 * Fails when: the text is no list.
 */
export function parseKubePage(text: string): KubePage {
	const list = parseJson(text);
	const items = isRecord(list) ? (list["items"] ?? []) : undefined;
	if (!isRecord(list) || !Array.isArray(items)) throw senseless("a list");
	const metadata = isRecord(list["metadata"]) ? list["metadata"] : {};
	const next = metadata["continue"];
	return {
		items: items.flatMap((item: unknown) => objectFrom(item) ?? []),
		next: typeof next === "string" && next !== "" ? next : undefined,
		resourceVersion: String(metadata["resourceVersion"] ?? ""),
	};
}

function objectFrom(value: unknown): KubeObject | undefined {
	if (!isRecord(value) || !isRecord(value["metadata"])) return undefined;
	const { name, namespace, uid, resourceVersion } = value["metadata"];
	if (
		typeof name !== "string" ||
		typeof uid !== "string" ||
		typeof resourceVersion !== "string"
	)
		return undefined;
	return {
		metadata: {
			namespace: typeof namespace === "string" ? namespace : "",
			name,
			uid,
			resourceVersion,
		},
		content: value,
	};
}

function parseJson(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch (error) {
		throw new KubeError(
			"KUBE_FAILED",
			"The API server's answer is not JSON. See that the address is that of an API server, and not of something before it.",
			{ cause: error },
		);
	}
}

function senseless(wanted: string): KubeError {
	return new KubeError(
		"KUBE_FAILED",
		`The API server's answer is not ${wanted}. See that the address is that of an API server, and not of something before it.`,
	);
}
