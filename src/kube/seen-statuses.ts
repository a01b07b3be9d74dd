import { isRecord } from "../api/fields.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import { refKey } from "../store/ref-key.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeObject } from "./kube-object.ts";
import type { ObjectClient } from "./object-client.ts";
import { type KubeResource, resourceOfKind } from "./resources.ts";
import { isServersTrouble } from "./servers-trouble.ts";

/** An object as far as its status goes. */
export interface SeenStatus {
	readonly uid: string;
	readonly resourceVersion: string;
	readonly generation: number;
	/** Unchecked. */
	readonly status: unknown;
}

/** More objects of a kind than this are not read one by one, but as a list. */
const maxSingleReads = 8;

/** What the API server has of statuses, by `refKey`, as far as it is known: from a watch, from reads, and from our own writes. */
export class SeenStatuses {
	readonly #client: ObjectClient;
	readonly #seen = new Map<string, SeenStatus>();

	constructor(client: ObjectClient) {
		this.#client = client;
	}

	/** What is known of an object. */
	get(key: string): SeenStatus | undefined {
		return this.#seen.get(key);
	}

	/** This is known of an object from now on. */
	set(key: string, seen: SeenStatus): void {
		this.#seen.set(key, seen);
	}

	/** The object is gone, or no longer as it was seen. */
	delete(key: string): void {
		this.#seen.delete(key);
	}

	/** Nothing is known any more. */
	clear(): void {
		this.#seen.clear();
	}

	/**
	 * Reads one object.
	 *
	 * Fails when: it is not there, or cannot be read; then with a `KubeError`.
	 */
	async read(ref: ObjectRef): Promise<SeenStatus> {
		const object = await this.#client.get(statusResourceOf(ref), ref);
		const seen = seenFrom(object);
		this.#seen.set(refKey(ref), seen);
		return seen;
	}

	/**
	 * Lists kinds of which many of these are unknown. What a list does not have is left to be read alone.
	 *
	 * @param isWanted what else of a list is worth keeping, by `refKey`
	 * Fails when: the server answers nobody at the moment.
	 */
	async readMany(
		refs: Iterable<ObjectRef>,
		isWanted: (key: string) => boolean,
	): Promise<void> {
		const unseen = [...refs].filter((ref) => !this.#seen.has(refKey(ref)));
		for (const ofKind of Map.groupBy(unseen, ({ kind }) => kind).values()) {
			const [first] = ofKind;
			if (first === undefined || ofKind.length <= maxSingleReads) continue;
			await this.#list(first.kind, statusResourceOf(first), isWanted);
		}
	}

	async #list(
		kind: string,
		resource: KubeResource,
		isWanted: (key: string) => boolean,
	): Promise<void> {
		try {
			for await (const object of this.#client.listAll(resource)) {
				const { namespace, name } = object.metadata;
				const key = refKey({ kind, namespace, name });
				// What the watch told meanwhile is newer.
				if (isWanted(key) && !this.#seen.has(key))
					this.#seen.set(key, seenFrom(object));
			}
		} catch (error) {
			// Not allowed, no such kind, or the list grew too old: they are read one by one, and each says what is wrong.
			if (!(error instanceof KubeError) || isServersTrouble(error)) throw error;
		}
	}
}

/** The resource that a status is written to. */
export function statusResourceOf(ref: ObjectRef): KubeResource {
	const resource = resourceOfKind(ref.kind);
	if (resource === undefined)
		throw new Error(`${ref.kind} is no kind that is written to Kubernetes.`);
	return resource;
}

function seenFrom({ metadata, content }: KubeObject): SeenStatus {
	return {
		uid: metadata.uid,
		resourceVersion: metadata.resourceVersion,
		generation: generationOf(content) ?? 0,
		status: content["status"],
	};
}

/** Of an object as it came; undefined where it does not say any. */
export function generationOf(
	content: Readonly<Record<string, unknown>>,
): number | undefined {
	const metadata = content["metadata"];
	const generation = isRecord(metadata) ? metadata["generation"] : undefined;
	return typeof generation === "number" ? generation : undefined;
}
