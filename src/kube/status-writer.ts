/*
 * Statuses on their objects, by server-side apply, from the leader only.
 *
 *   write ──▶ wanted ──────┐
 *                          ├─ differs? ─ turn ─ leader? ─▶ apply, if the object is as it was seen
 *   observe, get, list ─▶ seen                              │
 *                          ▲                                ├─ done ─────▶ seen
 *                          └── read again ◀── conflict ─────┘
 *
 * Every write names the version of the object that it is based on. So a replica
 * that was frozen between asking whether it leads and writing cannot overwrite
 * what its successor wrote; it conflicts, asks again, and does not lead. What the
 * successor had no reason to write again is watched, and put right when it changes.
 */
import { isRecord } from "../api/fields.ts";
import { type ObjectRef, printRef } from "../api/object-ref.ts";
import { type ObjectStatus, printStatus } from "../api/status.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { TokenBucket } from "../lib/token-bucket.ts";
import type { Logger } from "../observability/logger.ts";
import type { Counter, MetricsRegistry } from "../observability/metrics.ts";
import type { StatusWriter } from "../store/object-writer.ts";
import { refKey } from "../store/ref-key.ts";
import { KubeError } from "./kube-error.ts";
import type { Leader } from "./leadership.ts";
import { mergeStatus, type StatusMerge } from "./merge-status.ts";
import type { ObjectClient } from "./object-client.ts";
import {
	generationOf,
	type SeenStatus,
	SeenStatuses,
	statusResourceOf,
} from "./seen-statuses.ts";
import type { WritePacer } from "./write-pacer.ts";
import { WriteQueue } from "./write-queue.ts";

/** The manager that our statuses are said by. */
export const statusManager = "lateen-status";

/** What the writer works with. */
export interface KubeStatusParts {
	readonly client: ObjectClient;
	readonly leader: Leader;
	readonly pacer: WritePacer;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** So many conditions at once may be somebody's change, and are written before others; more are a start or a proxy's doing. */
const maxUrgent = 16;

/**
 * How often counts and words are written that nobody waits for. One proxy that
 * comes or goes may change the counts of every object; what people wait for must
 * not stand behind a thousand of these.
 */
const progressRate = { perSecond: 50, burst: 50 };

/** Time after which progress that had to wait is written. Milliseconds. */
const progressMs = 500;

/** A conflict in which nobody else has a hand is over after one; five in a row are another writer's. */
const maxTries = 5;

/** Time in which the watch catches up with our own writes before a difference is believed. Milliseconds. */
const healMs = 1000;

/** Time after which a status that was refused is tried again as it is: roles and CRDs get mended. Milliseconds. */
const refusedMs = 60_000;

/** Wait after failed writes that nobody else will repeat; doubles up to 32 times as long. Milliseconds. */
const retryMs = 1000;

/**
 * Writes statuses to the API server.
 *
 * Guarantees: on a replica that does not lead, statuses are only remembered; when
 *   it begins to lead, those that differ from what is there are written. One
 *   object's trouble does not stop the others, and a few statuses do not wait for
 *   a thousand. Never are two writes of one object under way. Counts and words alone may follow
 *   later than the promise says, so that a condition never waits for them. Once it
 *   is disposed of nothing more is begun: what waits is for whoever leads next.
 * Fails when: some could not be written for a reason that may pass by itself. A
 *   status that the server refuses for good is logged, counted and tried again
 *   later, and is no failure, as it would hold up all others.
 */
export class KubeStatusWriter implements StatusWriter, Disposable {
	readonly #parts: KubeStatusParts;
	readonly #writes: Counter;
	readonly #skips: Counter;
	readonly #conflicts: Counter;
	readonly #refusals: Counter<"code">;
	/** The newest status of each object, whether it could be written or not. */
	readonly #wanted = new Map<string, ObjectStatus>();
	/** What the server has, as far as it is known; only while this replica leads. */
	readonly #seen: SeenStatuses;
	readonly #queue: WriteQueue;
	readonly #refused = new Set<string>();
	readonly #loggedRefusals = new Set<string>();
	/** Kinds whose CRDs are too old to have counts of proxies in the status: there the conditions alone are written. */
	readonly #withoutCounts = new Set<string>();
	/** Objects of which only progress is to be written, and that had to wait. */
	readonly #late = new Set<string>();
	readonly #progress: TokenBucket;
	/** Objects that somebody else seems to have changed. */
	readonly #doubtful = new Set<string>();
	readonly #timers = new Map<string, () => void>();
	readonly #stopState: () => void;
	#failed = 0;

	constructor(parts: KubeStatusParts) {
		this.#parts = parts;
		const { client, metrics, leader, clock, pacer } = parts;
		this.#seen = new SeenStatuses(client);
		this.#queue = new WriteQueue(pacer, (key) => this.#writeOne(key));
		this.#progress = new TokenBucket(clock, progressRate);
		this.#writes = metrics.counter(
			"lateen_kube_status_writes_total",
			"Statuses written to Kubernetes.",
		);
		this.#skips = metrics.counter(
			"lateen_kube_status_skips_total",
			"Statuses that said what was there already and were not written.",
		);
		this.#conflicts = metrics.counter(
			"lateen_kube_status_conflicts_total",
			"Writes of statuses that met another change of the object.",
		);
		this.#refusals = metrics.counter(
			"lateen_kube_status_refusals_total",
			"Statuses that Kubernetes refused, by error code.",
			["code"],
		);
		this.#stopState = leader.state.subscribe((leads) =>
			leads ? this.#begin() : this.#end(),
		);
	}

	[Symbol.dispose](): void {
		this.#stopState();
		this.#queue[Symbol.dispose]();
		this.#end();
	}

	async write(statuses: readonly ObjectStatus[]): Promise<void> {
		for (const status of statuses) this.#wanted.set(refKey(status.ref), status);
		await this.#writeKeys(statuses.map(({ ref }) => refKey(ref)));
	}

	forget(refs: readonly ObjectRef[]): void {
		for (const ref of refs) this.#drop(refKey(ref));
	}

	/**
	 * Hears what an object is on the server, from a watch: writes need no reading then, and what others change in a status
	 * is put right. Needs no call; late and repeated ones do no harm.
	 */
	observe(ref: ObjectRef, seen: SeenStatus): void {
		if (!this.#parts.leader.isLeader()) return;
		const key = refKey(ref);
		this.#seen.set(key, seen);
		const wanted = this.#wanted.get(key);
		if (wanted === undefined || this.#refused.has(key)) return;
		if (this.#compare(wanted, seen).op !== "write") return;
		this.#doubtful.add(key);
		this.#after("heal", healMs, () => {
			const doubtful = [...this.#doubtful];
			this.#doubtful.clear();
			this.#writeAlone(doubtful);
		});
	}

	#drop(key: string): void {
		this.#wanted.delete(key);
		this.#seen.delete(key);
		this.#refused.delete(key);
		this.#doubtful.delete(key);
		this.#late.delete(key);
	}

	/** Another replica may have written since; everything is looked at anew. */
	#begin(): void {
		this.#seen.clear();
		this.#failed = 0;
		this.#writeAlone([...this.#wanted.keys()]);
	}

	#end(): void {
		this.#seen.clear();
		this.#refused.clear();
		this.#loggedRefusals.clear();
		this.#withoutCounts.clear();
		this.#doubtful.clear();
		this.#late.clear();
		for (const cancel of this.#timers.values()) cancel();
		this.#timers.clear();
	}

	/** Writes where nobody waits for it, so failures are repeated here. */
	#writeAlone(keys: readonly string[]): void {
		this.#writeKeys(keys).then(
			() => {
				this.#failed = 0;
			},
			(error: unknown) => {
				if (this.#queue.isStopped) return;
				this.#parts.logger.warn(
					"Statuses cannot be written to Kubernetes; it is tried again.",
					{ error, statuses: keys.length },
				);
				const waitMs = backoffMs(this.#failed, retryMs);
				this.#failed += 1;
				this.#after("retry", waitMs, () =>
					this.#writeAlone([...this.#wanted.keys()]),
				);
			},
		);
	}

	#after(name: string, delayMs: number, action: () => void): void {
		if (this.#timers.has(name)) return;
		const cancel = this.#parts.clock.after(delayMs, () => {
			this.#timers.delete(name);
			if (this.#parts.leader.isLeader()) action();
		});
		this.#timers.set(name, cancel);
	}

	async #writeKeys(keys: readonly string[]): Promise<void> {
		if (this.#queue.isStopped || !this.#parts.leader.isLeader()) return;
		const refs = keys.flatMap((key) => this.#wanted.get(key)?.ref ?? []);
		await this.#seen.readMany(refs, (key) => this.#wanted.has(key));
		const due = [...new Set(keys)].map((key) => ({
			key,
			need: this.#needOf(key),
		}));
		const conditions = due.filter(({ need }) => need === "condition").length;
		await this.#queue.writeAll(
			new Map(
				due
					.filter(({ need }) => need !== "nothing")
					.map(({ key, need }) => [
						key,
						need === "condition" && conditions <= maxUrgent ? "urgent" : "bulk",
					]),
			),
		);
	}

	/** What is to be written of an object now; progress may have to wait. */
	#needOf(key: string): "nothing" | "progress" | "condition" {
		this.#late.delete(key);
		const wanted = this.#wanted.get(key);
		const seen = this.#seen.get(key);
		if (wanted === undefined) return "nothing";
		if (seen === undefined || this.#isBehind(wanted, seen)) return "condition";
		const merge = this.#compare(wanted, seen);
		if (merge.op === "same") this.#skips.add();
		if (merge.op !== "write") return "nothing";
		if (!merge.isProgress) return "condition";
		if (this.#progress.take()) return "progress";
		this.#late.add(key);
		this.#after("progress", progressMs, () =>
			this.#writeAlone([...this.#late]),
		);
		return "nothing";
	}

	/** Whether the object has changed since it was seen, so that a write based on it would conflict. */
	#isBehind(wanted: ObjectStatus, seen: SeenStatus): boolean {
		return seen.generation < wanted.observedGeneration;
	}

	async #writeOne(key: string): Promise<void> {
		const { leader } = this.#parts;
		for (let tries = 1; ; tries += 1) {
			// It may have waited for its turn a while.
			if (!leader.isLeader()) return;
			const wanted = this.#wanted.get(key);
			if (wanted === undefined) return;
			try {
				const before = this.#seen.get(key);
				const seen =
					before === undefined || this.#isBehind(wanted, before)
						? await this.#seen.read(wanted.ref)
						: before;
				const merge = this.#merge(key, seen);
				if (merge?.op !== "write") return;
				// Nothing may come between this question and the request.
				if (!leader.isLeader()) return;
				await this.#apply(wanted.ref, seen, merge);
				return;
			} catch (error) {
				if (!(error instanceof KubeError)) throw error;
				if (error.code === "KUBE_NOT_FOUND") {
					// It is gone, and so is its status.
					this.#seen.delete(key);
					return;
				}
				if (error.code === "KUBE_CONFLICT") {
					this.#conflicts.add();
					this.#seen.delete(key);
					if (tries < maxTries) continue;
				}
				if (error.code === "KUBE_UNKNOWN_FIELD" && tries < maxTries) {
					this.#leaveOutCounts(wanted.ref.kind, error);
					continue;
				}
				if (error.retryable || error.code === "KUBE_UNAUTHENTICATED")
					throw error;
				this.#refuse(key, wanted.ref, error);
				return;
			}
		}
	}

	#compare(wanted: ObjectStatus, seen: SeenStatus): StatusMerge {
		if (!this.#withoutCounts.has(wanted.ref.kind))
			return mergeStatus(wanted, seen);
		const { proxies } = printStatus(wanted);
		const status = isRecord(seen.status) ? seen.status : {};
		// What cannot be written is no difference.
		return mergeStatus(wanted, { ...seen, status: { ...status, proxies } });
	}

	/** With what is wanted by now: something newer may have been decided during a read. */
	#merge(key: string, seen: SeenStatus): StatusMerge | undefined {
		const wanted = this.#wanted.get(key);
		if (wanted === undefined) return undefined;
		const merge = this.#compare(wanted, seen);
		if (merge.op === "same") this.#skips.add();
		return merge;
	}

	async #apply(
		ref: ObjectRef,
		seen: SeenStatus,
		{ status }: Extract<StatusMerge, { readonly op: "write" }>,
	): Promise<void> {
		const { uid, resourceVersion } = seen;
		const written = this.#withoutCounts.has(ref.kind)
			? { ...status, proxies: undefined }
			: status;
		const { metadata, content } = await this.#parts.client.applyStatus(
			{
				resource: statusResourceOf(ref),
				at: ref,
				manager: statusManager,
				seen: { uid, resourceVersion },
				status: written,
			},
			{ metadataOnly: true },
		);
		this.#writes.add();
		const key = refKey(ref);
		this.#refused.delete(key);
		if (this.#wanted.has(key))
			this.#seen.set(key, {
				uid: metadata.uid,
				resourceVersion: metadata.resourceVersion,
				generation: generationOf(content) ?? seen.generation,
				status: written,
			});
	}

	#leaveOutCounts(kind: string, error: KubeError): void {
		if (this.#withoutCounts.has(kind)) return;
		this.#withoutCounts.add(kind);
		this.#parts.logger.warn(
			"The CRD of a kind is older than this version; statuses are written without the counts of proxies until it is updated.",
			{ kind, error },
		);
		this.#after("counts", refusedMs, () => {
			this.#withoutCounts.clear();
			this.#writeAlone([...this.#wanted.keys()]);
		});
	}

	#refuse(key: string, ref: ObjectRef, error: KubeError): void {
		this.#refusals.add(1, { code: error.code });
		this.#refused.add(key);
		// Of a thousand for the same reason one line is enough.
		const reason = `${ref.kind} ${error.code}`;
		if (!this.#loggedRefusals.has(reason)) {
			this.#loggedRefusals.add(reason);
			this.#parts.logger.warn(
				"Kubernetes refuses a status; others of this kind that are refused for the same reason are counted and not logged.",
				{ object: printRef(ref), error },
			);
		}
		this.#after("refused", refusedMs, () => {
			const refused = [...this.#refused];
			this.#refused.clear();
			this.#loggedRefusals.clear();
			this.#writeAlone(refused);
		});
	}
}
