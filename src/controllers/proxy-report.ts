/*
 * What this replica's proxies have acknowledged, told to the other replicas:
 *
 *   mesh, held back ─┐
 *   distribution ────┼─ keys ─▶ hold off ─▶ decide ─ differs ─▶ shard ─▶ one write at a time
 *   forms ───────────┘                                            ▲               │ fails
 *                                                                 └──── later ────┘
 *
 * What is merely under way is told once a second at most: others wait for the
 * end of it, and until then they see that this replica reports an older form.
 */
import { refOf } from "../api/metadata.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { Objects } from "../api/objects.ts";
import { isOwnKind, ownKinds } from "../api/own-kinds.ts";
import type { ReportedObject } from "../api/proxy-report.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import type { Signal } from "../lib/signal.ts";
import { type Rate, TokenBucket } from "../lib/token-bucket.ts";
import type { Logger } from "../observability/logger.ts";
import type { Counter, MetricsRegistry } from "../observability/metrics.ts";
import type { HeldBack } from "../reconcilers/distribution.ts";
import {
	decideReport,
	isSettled,
	reportShards,
	shardOf,
} from "../reconcilers/proxy-report.ts";
import { refKey } from "../store/ref-key.ts";
import type { DistributionReader } from "./distribution-reader.ts";
import { HeldOffCall } from "./held-off-call.ts";
import type { HoldOff } from "./hold-off.ts";
import type { MeshState } from "./mesh.ts";
import { changedOwnObjects, ownObjectAt } from "./own-objects.ts";
import { QueueFigures } from "./queue-figures.ts";
import { SpacedCall } from "./spaced-call.ts";
import { type FormsReader, noForms } from "./told-forms.ts";

/** Puts reports where the other replicas read them. */
export interface ReportWriter {
	/**
	 * Makes this the whole content of one report of this replica.
	 *
	 * Fails when: it could not be written; then it may be written again.
	 */
	write(
		shard: number,
		objects: ReadonlyMap<string, ReportedObject>,
	): Promise<void>;
}

/** How often reports are decided, and how many are written. Milliseconds. */
export interface ReportPace extends Rate {
	/** Changes that come closer together than `quietMs` are one; none waits longer than `maxMs`. */
	readonly holdOff: HoldOff;
	/** Least time between two reports on one object that is still under way. */
	readonly progressMs: number;
	/** Wait after a failed write; doubles with each further failure, up to 32 times as long. */
	readonly retryMs: number;
}

/** Every report can be written at once after a quiet time; ten a second are one object in a hundred that an API server takes. */
export const defaultReportPace: ReportPace = {
	holdOff: { quietMs: 10, maxMs: 50 },
	progressMs: 1000,
	burst: reportShards,
	perSecond: 10,
	retryMs: 1000,
};

/** What the reporter works with. */
export interface ProxyReporterParts {
	readonly inputs: {
		readonly mesh: Signal<MeshState>;
		/** Objects that are kept out of the mesh, by `refKey`. */
		readonly heldBack: Signal<ReadonlyMap<string, HeldBack>>;
		/** Of the own proxies. */
		readonly distribution: DistributionReader;
		/** What the own proxies accept and refuse. */
		readonly forms?: FormsReader;
	};
	readonly writer: ReportWriter;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
	readonly pace?: ReportPace;
}

/**
 * Keeps the reports of this replica current, from the first `publish` on.
 *
 * Guarantees: a report is written when it differs from the one written last; one
 *   write at a time; a failed write is tried again with what is true then; when
 *   nothing changes, nothing is written.
 */
export class ProxyReporter {
	readonly #parts: ProxyReporterParts;
	readonly #pace: ReportPace;
	readonly #allowance: TokenBucket;
	readonly #decision: HeldOffCall;
	readonly #queue: QueueFigures;
	/** A look at every object: not for each proxy of a thousand that come at once. */
	readonly #sweep: SpacedCall;
	readonly #writes: Counter;
	readonly #failures: Counter;
	readonly #stops: (() => void)[] = [];
	/** What is to be told, by shard. */
	readonly #shards: Map<string, ReportedObject>[] = Array.from(
		{ length: reportShards },
		() => new Map(),
	);
	/** Shards that differ from what was written. */
	readonly #unwritten = new Set<number>();
	#dirty = new Map<string, ObjectRef>();
	/** Objects that are under way, and when they were told of last. */
	readonly #underway = new Map<
		string,
		{ readonly ref: ObjectRef; readonly toldMs: number }
	>();
	#objects: Objects | undefined;
	#heldBack: ReadonlyMap<string, HeldBack> = new Map();
	#cancelLate: (() => void) | undefined;
	#cancelWrite: (() => void) | undefined;
	#writing: Promise<void> | undefined;
	#failed = 0;
	#isPublished = false;
	#stopped = false;

	/** Watches at once; disposing ends it. */
	constructor(parts: ProxyReporterParts) {
		this.#parts = parts;
		this.#pace = parts.pace ?? defaultReportPace;
		const { inputs, clock, metrics } = parts;
		this.#allowance = new TokenBucket(clock, this.#pace);
		this.#decision = new HeldOffCall(clock, this.#pace.holdOff, () => {
			this.#decide();
			this.#write();
		});
		this.#sweep = new SpacedCall(clock, this.#pace.progressMs, () =>
			this.#markAll(changedOwnObjects(undefined, this.#objects)),
		);
		this.#queue = new QueueFigures(metrics, {
			controller: "proxy-report",
			depth: () => this.#dirty.size,
			clock,
		});
		this.#writes = metrics.counter(
			"lateen_report_writes_total",
			"Reports to other replicas that were written.",
		);
		this.#failures = metrics.counter(
			"lateen_report_write_failures_total",
			"Reports to other replicas that could not be written and are tried again.",
		);
		this.#stops.push(
			inputs.mesh.subscribe((state) => this.#takeObjects(state.objects)),
			inputs.heldBack.subscribe((now) => this.#takeHeldBack(now)),
			inputs.distribution.subscribe((refs) => this.#markAll(refs)),
			inputs.distribution.subscribeTotals(() => this.#sweep.ask()),
			inputs.forms?.subscribe((refs) => this.#markAll(refs)) ??
				(() => undefined),
		);
		this.#takeHeldBack(inputs.heldBack.value);
		this.#takeObjects(inputs.mesh.value.objects);
	}

	[Symbol.dispose](): void {
		this.#stopped = true;
		for (const stop of this.#stops.splice(0)) stop();
		this.#decision.cancel();
		this.#sweep.cancel();
		this.#cancelLate?.();
		this.#cancelWrite?.();
	}

	/**
	 * Writes every report as it is now, empty ones too: whatever an earlier process of this name has left is gone then.
	 *
	 * Fails when: one could not be written.
	 */
	async publish(): Promise<void> {
		this.#isPublished = false;
		await this.#writing;
		this.#decision.cancel();
		this.#decide();
		for (let shard = 0; shard < reportShards; shard++) {
			this.#unwritten.delete(shard);
			try {
				await this.#parts.writer.write(shard, new Map(this.#shards[shard]));
			} catch (error) {
				this.#unwritten.add(shard);
				throw error;
			}
			this.#writes.add();
		}
		this.#isPublished = true;
		this.#write();
	}

	#takeObjects(now: Objects | undefined): void {
		const before = this.#objects;
		this.#objects = now;
		this.#markAll(changedOwnObjects(before, now));
	}

	#takeHeldBack(now: ReadonlyMap<string, HeldBack>): void {
		const before = this.#heldBack;
		this.#heldBack = now;
		for (const key of new Set([...before.keys(), ...now.keys()])) {
			const known = this.#refAt(key);
			if (known !== undefined && before.get(key) !== now.get(key))
				this.#mark(known);
		}
	}

	#refAt(key: string): ObjectRef | undefined {
		const kind = ownKinds.find((one) => key.startsWith(`${one}/`));
		if (kind === undefined) return undefined;
		const object = this.#objects?.[kind].get(key.slice(kind.length + 1));
		return object && refOf(object);
	}

	#markAll(refs: Iterable<ObjectRef>): void {
		for (const ref of [...refs]) this.#mark(ref);
	}

	#mark(ref: ObjectRef): void {
		if (!isOwnKind(ref.kind)) return;
		this.#dirty.set(refKey(ref), ref);
		this.#queue.added();
		if (this.#isPublished) this.#decision.ask();
	}

	#decide(): void {
		this.#queue.began();
		const dirty = this.#dirty;
		this.#dirty = new Map();
		for (const [key, ref] of dirty) this.#decideOne(key, ref);
		this.#queue.ended();
		this.#scheduleLate();
	}

	#decideOne(key: string, ref: ObjectRef): void {
		const shard = shardOf(key);
		const entries = this.#shards[shard];
		if (entries === undefined) return;
		const before = entries.get(key);
		const next = this.#entryOf(key, ref);
		if (next === undefined) {
			this.#underway.delete(key);
			if (entries.delete(key)) this.#unwritten.add(shard);
			return;
		}
		const nowMs = this.#parts.clock.monotonicMs();
		if (isSettled(next)) this.#underway.delete(key);
		else {
			const toldMs = this.#underway.get(key)?.toldMs ?? nowMs;
			this.#underway.set(key, { ref, toldMs });
			// Timers of the machine may fire a little early.
			const isDue = nowMs - toldMs >= this.#pace.progressMs - 10;
			// Before the first report there is nothing that others could wait for.
			if (before !== undefined && !isDue && next.rejected <= before.rejected)
				return;
			this.#underway.set(key, { ref, toldMs: nowMs });
		}
		if (deepEqual(before, next)) return;
		entries.set(key, next);
		this.#unwritten.add(shard);
	}

	/** What is to be told of an object; undefined when there is none. */
	#entryOf(key: string, ref: ObjectRef): ReportedObject | undefined {
		const { distribution, forms } = this.#parts.inputs;
		const object = ownObjectAt(this.#objects, ref);
		if (object === undefined) return undefined;
		const { generation, uid = "" } = object.metadata;
		const held = this.#heldBack.get(key);
		// A newer form is not held back for what an older one did.
		const heldBack = held?.generation === generation ? held : undefined;
		return decideReport({
			uid,
			generation:
				heldBack === undefined ? generation : (heldBack.inForceGeneration ?? 0),
			distribution: distribution.of(ref),
			heldBack,
			...(forms?.of(ref) ?? noForms),
		});
	}

	/** Looks again at what only moves on: nobody tells of each acknowledgement, only of the last. */
	#scheduleLate(): void {
		if (this.#cancelLate !== undefined || this.#underway.size === 0) return;
		this.#cancelLate = this.#parts.clock.after(this.#pace.progressMs, () => {
			this.#cancelLate = undefined;
			this.#markAll([...this.#underway.values()].map(({ ref }) => ref));
			this.#scheduleLate();
		});
	}

	#write(): void {
		if (!this.#isPublished || this.#stopped) return;
		if (this.#writing !== undefined || this.#cancelWrite !== undefined) return;
		const [shard] = this.#unwritten;
		if (shard === undefined) return;
		if (!this.#allowance.take()) {
			this.#writeAfter(Math.ceil(this.#allowance.dueMs));
			return;
		}
		this.#unwritten.delete(shard);
		this.#writing = this.#parts.writer
			.write(shard, new Map(this.#shards[shard]))
			.then(
				() => this.#wrote(),
				(error: unknown) => this.#couldNotWrite(shard, error),
			);
	}

	#writeAfter(delayMs: number): void {
		this.#cancelWrite = this.#parts.clock.after(delayMs, () => {
			this.#cancelWrite = undefined;
			this.#write();
		});
	}

	#wrote(): void {
		this.#writing = undefined;
		this.#writes.add();
		if (this.#failed > 0)
			this.#parts.logger.info("Other replicas can be told again.");
		this.#failed = 0;
		this.#write();
	}

	#couldNotWrite(shard: number, error: unknown): void {
		this.#writing = undefined;
		this.#failures.add();
		this.#unwritten.add(shard);
		if (this.#failed === 0)
			this.#parts.logger.warn(
				"Other replicas cannot be told what proxies have acknowledged. Proxies are served as before, and it is tried again; but objects are not reported as live meanwhile.",
				{ error },
			);
		const waitMs = backoffMs(this.#failed, this.#pace.retryMs);
		this.#failed += 1;
		if (!this.#stopped) this.#writeAfter(waitMs);
	}
}
