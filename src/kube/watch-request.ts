import type { KubeRequest } from "./connection.ts";
import type { WatchEffect } from "./list-watch.ts";
import { collectionPath, type KubeResource } from "./resources.ts";

/** Which objects are watched. */
export interface Watched {
	readonly resource: KubeResource;
	/** Of this namespace only; all when absent. */
	readonly namespace?: string;
	/** `app=reviews,tier!=cache` */
	readonly labelSelector?: string;
	/** `metadata.name=lateen-serving` */
	readonly fieldSelector?: string;
}

/**
 * The server sends a bookmark about every minute, so a watch that is silent for
 * longer may have nobody at its other end. It may also be that nothing has
 * happened to this kind since the server's start: then it may send none, and the
 * watch is asked for again each time, which costs one request.
 */
const SILENCE_MS = 100_000;

/** The request for an effect that asks for objects. */
export function watchRequest(
	{ resource, namespace, labelSelector, fieldSelector }: Watched,
	version: string,
	effect: Extract<WatchEffect<unknown>, { do: "stream" | "page" | "follow" }>,
): KubeRequest {
	const base = {
		method: "GET",
		path: collectionPath({ ...resource, version }, namespace),
	} as const;
	const selectors = {
		...(labelSelector !== undefined && { labelSelector }),
		...(fieldSelector !== undefined && { fieldSelector }),
	};
	switch (effect.do) {
		case "stream":
			return {
				...base,
				query: {
					...selectors,
					watch: "true",
					allowWatchBookmarks: "true",
					sendInitialEvents: "true",
					// No version: not older than the newest at this moment.
					resourceVersionMatch: "NotOlderThan",
					timeoutSeconds: String(effect.timeoutSeconds),
				},
				silenceMs: SILENCE_MS,
			};
		case "page":
			return {
				...base,
				query: {
					...selectors,
					limit: String(effect.limit),
					...(effect.at !== undefined && { continue: effect.at }),
				},
				silenceMs: SILENCE_MS,
			};
		case "follow":
			return {
				...base,
				query: {
					...selectors,
					watch: "true",
					allowWatchBookmarks: "true",
					resourceVersion: effect.resourceVersion,
					timeoutSeconds: String(effect.timeoutSeconds),
				},
				silenceMs: SILENCE_MS,
			};
	}
}
