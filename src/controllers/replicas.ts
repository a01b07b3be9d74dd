/*
 * What the other replicas say, and which of them live.
 *
 * A replica lives while its Lease is renewed, judged by this process's own
 * monotonic clock: the times that are written in a Lease are those of another
 * machine. What a replica that is gone has reported does not count; its proxies
 * are connected elsewhere by then.
 */
import type { ObjectRef } from "../api/object-ref.ts";
import type { ProxyReport, ReportedObject } from "../api/proxy-report.ts";
import type { Clock } from "../lib/clock.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import type { Logger } from "../observability/logger.ts";
import type { MetricsRegistry } from "../observability/metrics.ts";
import type { OtherReplica } from "../reconcilers/proxy-report.ts";

/** A Lease of a replica, as far as it says that the replica lives. */
export interface SeenLease {
	readonly replica: string;
	/** Differs after each renewal. */
	readonly stamp: string;
	/** Whether the replica serves proxies, or is just about to: its reports are complete then. */
	readonly isServing: boolean;
}

/** How long a replica lives after its last renewal that was seen. Milliseconds; renewals come every 10 s, and one may be late. */
export const defaultLifeMs = 20_000;

/** How long after its end what a replica has left is no longer needed by anybody. Milliseconds. */
const leftoverMs = 60_000;

/** What the register of replicas works with. */
export interface ReplicasParts {
	/** The name of this replica, which is not among the others. */
	readonly self: string;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
	readonly lifeMs?: number;
}

interface Life {
	readonly lease: SeenLease;
	/** When the renewal was seen; monotonic. */
	readonly seenMs: number;
	/** Cancels the look at its end. */
	cancel: () => void;
}

/** See the head of this file. */
export class Replicas {
	readonly #parts: ReplicasParts;
	readonly #lifeMs: number;
	readonly #lives = new Map<string, Life>();
	/** By name of the object. */
	readonly #reports = new Map<string, ProxyReport>();
	/** By replica, then by key of the object. */
	readonly #entries = new Map<string, Map<string, ReportedObject>>();
	/** Sorted. */
	#living: readonly string[] = [];
	readonly #listeners = new Set<(refs: Iterable<ObjectRef>) => void>();
	readonly #totalsListeners = new Set<() => void>();

	constructor(parts: ReplicasParts) {
		this.#parts = parts;
		this.#lifeMs = parts.lifeMs ?? defaultLifeMs;
		const gauge = parts.metrics.gauge(
			"lateen_replicas",
			"Replicas of the control plane that live, this one among them.",
		);
		gauge.set(1);
		this.subscribeTotals(() => gauge.set(1 + this.#living.length));
	}

	[Symbol.dispose](): void {
		for (const { cancel } of this.#lives.values()) cancel();
		this.#lives.clear();
	}

	/** The other replicas that live, by name. */
	get living(): readonly string[] {
		return this.#living;
	}

	/** What the other replicas that live say of one object. */
	on(key: string): readonly OtherReplica[] {
		return this.#living.map((name) => ({
			name,
			entry: this.#entries.get(name)?.get(key),
		}));
	}

	/** Calls `listener` with objects of which a living replica says something else until the returned function is called. */
	subscribe(listener: (refs: Iterable<ObjectRef>) => void): () => void {
		this.#listeners.add(listener);
		return () => this.#listeners.delete(listener);
	}

	/** Calls `listener` when other replicas live than before until the returned function is called. */
	subscribeTotals(listener: () => void): () => void {
		this.#totalsListeners.add(listener);
		return () => this.#totalsListeners.delete(listener);
	}

	/** A Lease was seen. */
	putLease(lease: SeenLease): void {
		const { replica } = lease;
		if (replica === this.#parts.self) return;
		const before = this.#lives.get(replica);
		if (
			before?.lease.stamp === lease.stamp &&
			before.lease.isServing === lease.isServing
		)
			return;
		before?.cancel();
		const seenMs = this.#parts.clock.monotonicMs();
		this.#lives.set(replica, { lease, seenMs, cancel: () => undefined });
		this.#judge(replica);
	}

	/** A Lease was deleted: its replica has stopped in order. */
	deleteLease(replica: string): void {
		this.#lives.get(replica)?.cancel();
		this.#lives.delete(replica);
		this.#judge(replica);
	}

	/** These are all Leases that there are. */
	replaceLeases(leases: readonly SeenLease[]): void {
		const names = new Set(leases.map(({ replica }) => replica));
		for (const name of [...this.#lives.keys()])
			if (!names.has(name)) this.deleteLease(name);
		for (const lease of leases) this.putLease(lease);
	}

	/** A report was written. */
	putReport(name: string, report: ProxyReport): void {
		if (report.replica === this.#parts.self) return;
		const before = this.#reports.get(name);
		this.#reports.set(name, report);
		if (before !== undefined && before.replica !== report.replica)
			this.#apply(before.replica, before.objects, new Map());
		this.#apply(
			report.replica,
			before?.replica === report.replica ? before.objects : new Map(),
			report.objects,
		);
	}

	/** A report was deleted. */
	deleteReport(name: string): void {
		const before = this.#reports.get(name);
		if (before === undefined) return;
		this.#reports.delete(name);
		this.#apply(before.replica, before.objects, new Map());
	}

	/** These are all reports that there are, by name. */
	replaceReports(reports: ReadonlyMap<string, ProxyReport>): void {
		for (const name of [...this.#reports.keys()])
			if (!reports.has(name)) this.deleteReport(name);
		for (const [name, report] of reports) this.putReport(name, report);
	}

	/** Replicas that have been gone for long, and reports of replicas without a Lease. */
	leftovers(): {
		readonly leases: readonly string[];
		readonly reports: readonly string[];
	} {
		const nowMs = this.#parts.clock.monotonicMs();
		return {
			leases: [...this.#lives]
				.filter(([, { seenMs }]) => nowMs - seenMs > leftoverMs)
				.map(([name]) => name),
			reports: [...this.#reports]
				.filter(([, { replica }]) => !this.#lives.has(replica))
				.map(([name]) => name),
		};
	}

	#judge(replica: string): void {
		const life = this.#lives.get(replica);
		const { clock, logger } = this.#parts;
		const leftMs =
			life === undefined ? 0 : life.seenMs + this.#lifeMs - clock.monotonicMs();
		if (life !== undefined && leftMs > 0) {
			// Timers of the machine may fire a little early: then there is another look.
			life.cancel();
			life.cancel = clock.after(leftMs, () => this.#judge(replica));
		}
		const lives = life?.lease.isServing === true && leftMs > 0;
		if (lives === this.#living.includes(replica)) return;
		const others = this.#living.filter((one) => one !== replica);
		if (lives) {
			this.#living = [...others, replica].sort();
			logger.info("Another replica of the control plane serves.", { replica });
		} else {
			this.#living = others;
			if (life?.lease.isServing === true)
				logger.warn(
					"Another replica of the control plane is gone: it does not renew its Lease. What its proxies had does not count any more.",
					{ replica },
				);
			else
				logger.info("Another replica of the control plane has stopped.", {
					replica,
				});
		}
		for (const listener of [...this.#totalsListeners]) listener();
		const told = this.#entries.get(replica);
		if (!lives || told === undefined) return;
		const refs = [...told.keys()].flatMap(parseKey);
		for (const listener of [...this.#listeners]) listener(refs);
	}

	#apply(
		replica: string,
		before: ReadonlyMap<string, ReportedObject>,
		now: ReadonlyMap<string, ReportedObject>,
	): void {
		let entries = this.#entries.get(replica);
		if (entries === undefined) {
			entries = new Map();
			this.#entries.set(replica, entries);
		}
		const changed: ObjectRef[] = [];
		for (const [key, entry] of now) {
			if (deepEqual(entries.get(key), entry)) continue;
			entries.set(key, entry);
			changed.push(...parseKey(key));
		}
		for (const key of before.keys()) {
			if (now.has(key)) continue;
			entries.delete(key);
			changed.push(...parseKey(key));
		}
		if (entries.size === 0) this.#entries.delete(replica);
		if (changed.length === 0 || !this.#living.includes(replica)) return;
		for (const listener of [...this.#listeners]) listener(changed);
	}
}

function parseKey(key: string): readonly ObjectRef[] {
	const parts = key.split("/");
	const [kind = "", first = "", second] = parts;
	if (parts.length < 2 || parts.length > 3) return [];
	return second === undefined
		? [{ kind, namespace: "", name: first }]
		: [{ kind, namespace: first, name: second }];
}
