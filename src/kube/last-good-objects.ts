/*
 * Last good forms as objects in Kubernetes: one `LastGood` beside each object,
 * owned by it, so that the one goes with the other. Where no garbage collector
 * runs, the leader sweeps.
 */
import { type ObjectRef, printRef } from "../api/object-ref.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Signal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type { LastGood, LastGoodStore } from "../store/last-good.ts";
import { mergeLastGood } from "../store/merge-last-good.ts";
import { refKey } from "../store/ref-key.ts";
import { KubeError } from "./kube-error.ts";
import type { KubeObject } from "./kube-object.ts";
import {
	isAtPlace,
	lastGoodPlaceOf,
	lastGoodRefIn,
	parseLastGood,
	printLastGood,
} from "./last-good-object.ts";
import type { Leader } from "./leadership.ts";
import type { ObjectClient, ObjectPlace } from "./object-client.ts";
import { apiVersionOf, resourceOfKind, resources } from "./resources.ts";
import type { WritePacer } from "./write-pacer.ts";

/** The manager that last good forms are said by. */
export const lastGoodManager = "lateen-last-good";

/** What the store works with. */
export interface LastGoodObjectsParts {
	readonly client: ObjectClient;
	readonly leader: Leader;
	readonly pacer: WritePacer;
	/** Where the forms of cluster-scoped objects are kept. */
	readonly ownNamespace: string;
	/** The objects that there are. */
	readonly objects: {
		/** False until all of them are known. */
		readonly allListed: Signal<boolean>;
		/** Whether there is such an object, valid or not. */
		exists(ref: ObjectRef): boolean;
	};
	readonly clock: Clock;
	readonly logger: Logger;
}

/** A conflict is over after one, mostly. */
const maxTries = 4;

/** Wait after a failed sweep; doubles up to 32 times as long. Milliseconds. */
const retryMs = 1000;

/**
 * Keeps last good forms in Kubernetes.
 *
 * Guarantees: only the leader writes; what came on a replica that did not lead is
 *   written when it begins to, together with what the one before has kept. Each
 *   write names the version that it replaces, so a former leader overwrites
 *   nothing.
 * Fails when: as the interface says. A form that Kubernetes refuses for good is
 *   logged and passed over, as it would hold up all others.
 */
export class LastGoodObjects implements LastGoodStore, Disposable {
	readonly #parts: LastGoodObjectsParts;
	readonly #wanted = new Map<string, LastGood>();
	/** Versions of what is kept, as far as they are known. */
	readonly #seen = new Map<
		string,
		{ readonly uid: string; readonly resourceVersion: string }
	>();
	readonly #stops: (() => void)[];
	/** Ends the wait of forms for their turn. */
	readonly #stopping = new AbortController();
	#cancelRetry: (() => void) | undefined;
	#failed = 0;

	constructor(parts: LastGoodObjectsParts) {
		this.#parts = parts;
		const begin = (): void => this.#begin();
		this.#stops = [
			parts.leader.state.subscribe(begin),
			parts.objects.allListed.subscribe(begin),
		];
	}

	[Symbol.dispose](): void {
		for (const stop of this.#stops.splice(0)) stop();
		this.#stopping.abort();
		this.#cancelRetry?.();
	}

	async read(): Promise<readonly LastGood[]> {
		const entries: LastGood[] = [];
		for await (const object of this.#all()) {
			const entry = this.#parse(object);
			if (entry !== undefined) entries.push(entry);
		}
		return entries;
	}

	async write(entry: LastGood): Promise<void> {
		this.#wanted.set(refKey(entry.ref), entry);
		if (this.#parts.leader.isLeader()) await this.#write(entry);
	}

	async remove(ref: ObjectRef): Promise<void> {
		const { client, leader, pacer } = this.#parts;
		this.#wanted.delete(refKey(ref));
		this.#seen.delete(refKey(ref));
		if (!leader.isLeader()) return;
		await pacer.run(async () => {
			if (leader.isLeader())
				await client.delete(resources.LastGood, this.#placeOf(ref));
		}, this.#stopping.signal);
	}

	/** What another replica left undone, once it is certain what is gone. */
	#begin(): void {
		const { leader, objects, clock, logger } = this.#parts;
		this.#cancelRetry?.();
		this.#cancelRetry = undefined;
		if (!leader.isLeader() || !objects.allListed.value) return;
		this.#sweep().then(
			() => {
				this.#failed = 0;
			},
			(error: unknown) => {
				if (this.#stopping.signal.aborted) return;
				logger.warn(
					"Last good forms in Kubernetes cannot be brought up to date; it is tried again.",
					{ error },
				);
				const waitMs = backoffMs(this.#failed, retryMs);
				this.#cancelRetry = clock.after(waitMs, () => this.#begin());
				this.#failed += 1;
			},
		);
	}

	async #sweep(): Promise<void> {
		const { client, leader, objects, pacer } = this.#parts;
		this.#seen.clear();
		const unkept = new Map(
			[...this.#wanted].map(([key, wanted]) => [
				key,
				{ wanted, entry: wanted },
			]),
		);
		for await (const object of this.#all()) {
			const ref = lastGoodRefIn(object);
			if (ref === undefined) continue;
			const key = refKey(ref);
			if (!objects.exists(ref)) {
				await pacer.run(async () => {
					if (!leader.isLeader() || objects.exists(ref)) return;
					const { uid } = object.metadata;
					await client.delete(resources.LastGood, object.metadata, { uid });
				}, this.#stopping.signal);
				this.#seen.delete(key);
				continue;
			}
			const wanted = this.#wanted.get(key);
			const kept = this.#parse(object);
			if (wanted === undefined || kept === undefined) continue;
			const merged = mergeLastGood(kept, wanted);
			if (merged === undefined) unkept.delete(key);
			else unkept.set(key, { wanted, entry: merged });
		}
		for (const [key, { wanted, entry }] of unkept) {
			if (!leader.isLeader()) return;
			// What came meanwhile is newer, and was written when it came.
			if (this.#wanted.get(key) === wanted) await this.#write(entry);
		}
	}

	async *#all(): AsyncGenerator<KubeObject, void, undefined> {
		for await (const object of this.#parts.client.listAll(resources.LastGood)) {
			const ref = lastGoodRefIn(object);
			if (ref !== undefined && isAtPlace(object, this.#placeOf(ref)))
				this.#seen.set(refKey(ref), object.metadata);
			yield object;
		}
	}

	async #write(entry: LastGood): Promise<void> {
		try {
			await this.#parts.pacer.run(
				() => this.#apply(entry),
				this.#stopping.signal,
				// Nobody reads it before a restart.
				"bulk",
			);
		} catch (error) {
			if (!(error instanceof KubeError)) throw error;
			switch (error.code) {
				case "KUBE_NOT_FOUND":
				case "KUBE_FORBIDDEN":
					// Nothing can be made in a namespace that is being deleted, and it goes with its objects.
					if (await this.#isGone(entry.ref)) return;
					throw error;
				case "KUBE_INVALID":
					this.#parts.logger.warn(
						"Kubernetes refuses to keep the last good form of an object; a restart would not know it.",
						{ object: printRef(entry.ref), error },
					);
					return;
				default:
					throw error;
			}
		}
	}

	async #apply({ ref, ...entry }: LastGood): Promise<void> {
		const { client, leader } = this.#parts;
		const key = refKey(ref);
		const at = this.#placeOf(ref);
		const uid =
			entry.valid?.metadata.uid ??
			entry.proven?.metadata.uid ??
			(await this.#uidOf(ref));
		if (uid === undefined) return;
		for (let tries = 1; ; tries += 1) {
			const seen = this.#seen.get(key) ?? (await this.#look(at));
			if (!leader.isLeader()) return;
			try {
				const { metadata } = await client.apply(
					{
						resource: resources.LastGood,
						at,
						manager: lastGoodManager,
						...(seen && {
							seen: { uid: seen.uid, resourceVersion: seen.resourceVersion },
						}),
						metadata: { ownerReferences: [ownerOf(ref, uid)] },
						fields: { spec: printLastGood({ ref, ...entry }) },
					},
					{ metadataOnly: true },
				);
				this.#seen.set(key, metadata);
				return;
			} catch (error) {
				this.#seen.delete(key);
				const isConflict =
					error instanceof KubeError && error.code === "KUBE_CONFLICT";
				if (!isConflict || tries === maxTries) throw error;
			}
		}
	}

	async #look(at: ObjectPlace): Promise<KubeObject["metadata"] | undefined> {
		const { client } = this.#parts;
		const found = await orMissing(
			client.get(resources.LastGood, at, { metadataOnly: true }),
		);
		return found?.metadata;
	}

	async #uidOf(ref: ObjectRef): Promise<string | undefined> {
		const resource = resourceOfKind(ref.kind);
		if (resource === undefined) return undefined;
		const found = await orMissing(
			this.#parts.client.get(resource, ref, { metadataOnly: true }),
		);
		return found?.metadata.uid;
	}

	async #isGone(ref: ObjectRef): Promise<boolean> {
		return (await this.#uidOf(ref)) === undefined;
	}

	#placeOf(ref: ObjectRef): ObjectPlace {
		return lastGoodPlaceOf(ref, this.#parts.ownNamespace);
	}

	#parse(object: KubeObject): LastGood | undefined {
		const entry = parseLastGood(object, this.#parts.ownNamespace);
		if (entry === undefined) {
			const { namespace, name } = object.metadata;
			this.#parts.logger.warn(
				"A last good form in Kubernetes cannot be used and is left out.",
				{ lastGood: `${namespace}/${name}` },
			);
		}
		return entry;
	}
}

function ownerOf(
	{ kind, name }: ObjectRef,
	uid: string,
): Readonly<Record<string, unknown>> {
	const resource = resourceOfKind(kind);
	if (resource === undefined) throw new Error(`${kind} is no kind of ours.`);
	return { apiVersion: apiVersionOf(resource), kind, name, uid };
}

async function orMissing<T>(found: Promise<T>): Promise<T | undefined> {
	try {
		return await found;
	} catch (error) {
		if (error instanceof KubeError && error.code === "KUBE_NOT_FOUND")
			return undefined;
		throw error;
	}
}
