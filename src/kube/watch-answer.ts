/* Reads what the API server answers to a list and to a watch. */
import { isRecord } from "../api/fields.ts";
import { type Asked, errorOf } from "./error-of.ts";
import { KubeError } from "./kube-error.ts";

/** An object as it came, with what names it. */
export interface WatchedObject {
	/** `namespace/name`, or `name` when it has no namespace. */
	readonly key: string;
	readonly resourceVersion: string;
	/** The object itself, unchecked; whoever reads it owns it. */
	readonly content: Readonly<Record<string, unknown>>;
}

/** One line of a watch. */
export type WatchLine =
	| {
			readonly type: "put" | "delete";
			readonly object: WatchedObject;
	  }
	| {
			readonly type: "bookmark";
			readonly resourceVersion: string;
			readonly endsInitial: boolean;
	  }
	| {
			readonly type: "error";
			readonly error: KubeError;
			readonly isVersionTooNew: boolean;
	  };

/** A page of a list. */
export interface WatchPage {
	readonly objects: readonly WatchedObject[];
	readonly resourceVersion: string;
	readonly next: string | undefined;
}

/**
 * Reads one line of a watch.
 *
 * Fails when: it is none; then with a `KubeError` that quotes nothing of it.
 */
export function parseWatchLine(line: string, asked: Asked): WatchLine {
	const event = parseJson(line, asked);
	const object = event["object"];
	if (!isRecord(object)) throw senseless(asked);
	switch (event["type"]) {
		case "ADDED":
		case "MODIFIED":
			return { type: "put", object: objectOf(object, asked) };
		case "DELETED":
			return { type: "delete", object: objectOf(object, asked) };
		case "BOOKMARK": {
			const metadata = recordIn(object, "metadata");
			const annotations = recordIn(metadata, "annotations");
			return {
				type: "bookmark",
				resourceVersion: textIn(metadata, "resourceVersion"),
				endsInitial: annotations["k8s.io/initial-events-end"] === "true",
			};
		}
		case "ERROR": {
			const code = object["code"];
			const status = typeof code === "number" ? code : 500;
			const text = JSON.stringify(object);
			return {
				type: "error",
				error: errorOf({ status, headers: new Map(), text }, asked),
				isVersionTooNew: isVersionTooNew(text),
			};
		}
		default:
			throw senseless(asked);
	}
}

/**
 * Reads a page of a list.
 *
 * Fails when: it is none; then with a `KubeError`.
 */
export function parseWatchPage(text: string, asked: Asked): WatchPage {
	const list = parseJson(text, asked);
	const items = list["items"] ?? [];
	const metadata = recordIn(list, "metadata");
	const resourceVersion = textIn(metadata, "resourceVersion");
	if (!Array.isArray(items) || resourceVersion === "") throw senseless(asked);
	return {
		objects: items.map((item: unknown) => {
			if (!isRecord(item)) throw senseless(asked);
			return objectOf(item, asked);
		}),
		resourceVersion,
		next: textIn(metadata, "continue") || undefined,
	};
}

/**
 * Whether a Status says that the version asked for lies in this server's future:
 * it is behind its siblings, or was restored from a backup.
 */
export function isVersionTooNew(statusText: string): boolean {
	let status: unknown;
	try {
		status = JSON.parse(statusText);
	} catch {
		return false; // Not a Status, so it says nothing.
	}
	const causes = recordIn(status, "details")["causes"];
	return (
		Array.isArray(causes) &&
		causes.some(
			(cause) => textIn(cause, "reason") === "ResourceVersionTooLarge",
		)
	);
}

function objectOf(
	content: Readonly<Record<string, unknown>>,
	asked: Asked,
): WatchedObject {
	const metadata = recordIn(content, "metadata");
	const name = textIn(metadata, "name");
	const namespace = textIn(metadata, "namespace");
	if (name === "") throw senseless(asked);
	return {
		key: namespace === "" ? name : `${namespace}/${name}`,
		resourceVersion: textIn(metadata, "resourceVersion"),
		content,
	};
}

function parseJson(
	text: string,
	asked: Asked,
): Readonly<Record<string, unknown>> {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		// The parser's message quotes the text, which may be a Secret.
		throw senseless(asked);
	}
	if (!isRecord(value)) throw senseless(asked);
	return value;
}

function recordIn(
	value: unknown,
	name: string,
): Readonly<Record<string, unknown>> {
	const found = isRecord(value) ? value[name] : undefined;
	return isRecord(found) ? found : {};
}

function textIn(value: unknown, name: string): string {
	const found = isRecord(value) ? value[name] : undefined;
	return typeof found === "string" ? found : "";
}

function senseless({ verb, resource }: Asked): KubeError {
	return new KubeError(
		"KUBE_FAILED",
		`The answer to ${verb} ${resource.plural} makes no sense. See that the address is that of an API server, and look at what stands before it.`,
	);
}
