/*
 * One change on its way, from its source to the last proxy and back:
 *
 *   objects changed ─▶ hold off ─▶ mesh built ─▶ resources generated ─▶ sent ─▶ acknowledged ─▶ status written
 *                      └──────── histogram lateen_change_seconds, and one span each ────────────────┘
 *
 * All objects that one build takes up are one change. What proxies lack is asked of
 * the same counts that statuses are made of, per object and only for objects that a
 * change has touched, so following costs nothing per proxy and nothing per resource.
 */
import type { ObjectRef } from "../../api/object-ref.ts";
import { isOwnKind } from "../../api/own-kinds.ts";
import type { ObjectStatus } from "../../api/status.ts";
import { conditionOf } from "../../api/status.ts";
import type { Clock } from "../../lib/clock.ts";
import type { MetricsRegistry } from "../../observability/metrics.ts";
import type { SpanSink } from "../../observability/tracing/span.ts";
import type { ChangedObject } from "../../store/object-store.ts";
import { refKey } from "../../store/ref-key.ts";
import type { Change } from "./change.ts";
import {
	type ChangeFigures,
	type ChangeResult,
	changeFigures,
} from "./change-figures.ts";
import { changeSpans, type GenerationOf, type NewId } from "./change-spans.ts";

/** How far objects have come among proxies. */
export interface FollowedDistribution {
	lackingOf(ref: ObjectRef): number;
	reachOf(ref: ObjectRef): {
		readonly missing: readonly string[];
		readonly rejected: number;
	};
	subscribe(listener: (refs: Iterable<ObjectRef>) => void): () => void;
}

/** What a follower works with. */
export interface FollowerParts {
	readonly distribution: FollowedDistribution;
	/** Open streams of proxies. */
	readonly proxies: () => number;
	/** Resources generated since the start. */
	readonly generated: () => number;
	readonly generationOf: GenerationOf;
	/** Where traces go; absent when nobody wants any. */
	readonly spans?: SpanSink;
	readonly newId: NewId;
	readonly clock: Clock;
	readonly metrics: MetricsRegistry;
}

/** Changes that are followed at a time; of more, the oldest is given up. */
const maxPending = 64;
/** Objects of one change that are followed: of a change of thousands, these stand for all. */
const maxObjects = 200;
/** A proxy that has not answered by then does not answer. Milliseconds. */
const lateMs = 30_000;
/** A status that is not written by then is not waited for: it waits for proxies of other replicas, or others write it. Milliseconds. */
const unwrittenMs = 10_000;

/** Follows changes; see the head of this file. Memory is bounded. */
export class ChangeFollower implements Disposable {
	readonly #parts: FollowerParts;
	readonly #figures: ChangeFigures;
	readonly #stop: () => void;
	/** What has changed since the last build began. */
	#gathered: Change | undefined;
	/** What is being built. */
	#building: Change | undefined;
	#generatedBefore = 0;
	/** While resources are generated: objects that these are of. */
	#touched: Map<string, ObjectRef> | undefined;
	/** On their way to proxies, oldest first. */
	readonly #pending = new Set<Change>();
	/** By `refKey`: changes that wait until proxies have the object. */
	readonly #lacking = new Map<string, Set<Change>>();
	/** By `refKey`: changes that wait for the object's status. */
	readonly #unwritten = new Map<string, Set<Change>>();
	/** The newest change of which nothing was sent yet. */
	#unsent: Change | undefined;
	#lastSentMs: number | undefined;

	constructor(parts: FollowerParts) {
		this.#parts = parts;
		this.#figures = changeFigures(parts.metrics, () => this.#pending.size);
		this.#stop = parts.distribution.subscribe((refs) => this.#moved(refs));
	}

	[Symbol.dispose](): void {
		this.#stop();
		for (const change of [...this.#pending, ...this.#waitingForStatus()])
			change.cancel();
	}

	/** Objects were read from their source, and are to be built. */
	changed(objects: readonly ChangedObject[]): void {
		const { clock } = this.#parts;
		this.#gathered ??= newChange(clock.monotonicMs(), clock.nowMs());
		const gathered = this.#gathered;
		gathered.count += objects.length;
		for (const object of objects) {
			if (gathered.objects.length >= maxObjects) break;
			gathered.objects.push(object);
		}
	}

	/** The build of all that has changed begins. */
	buildBegins(): void {
		this.#building = this.#gathered;
		this.#gathered = undefined;
		if (this.#building === undefined) return;
		this.#building.buildMs = this.#parts.clock.monotonicMs();
		this.#generatedBefore = this.#parts.generated();
	}

	/** The mesh is built; what differs in it is about to be generated, if anything does. */
	meshBuilt(): void {
		this.#touched = new Map();
		if (this.#building !== undefined)
			this.#building.builtMs = this.#parts.clock.monotonicMs();
	}

	/** What differs is generated and in force. Not called when nothing differs. */
	generated(): void {
		const change = this.#building;
		const touched = this.#touched ?? new Map<string, ObjectRef>();
		this.buildEnded();
		for (const key of touched.keys()) this.#supersede(key);
		if (change === undefined || touched.size === 0) return;
		const { clock, distribution, generationOf, spans } = this.#parts;
		change.isTraced = spans?.wantsTrace() === true;
		change.generatedMs = clock.monotonicMs();
		change.resources = this.#parts.generated() - this.#generatedBefore;
		change.proxies = this.#parts.proxies();
		this.#reached(change, "built", change.generatedMs);
		for (const object of change.objects) {
			if (!isOwnKind(object.kind)) continue;
			// What is gone has no status.
			if (generationOf(object) === undefined) continue;
			const key = `${object.kind}/${object.key}`;
			change.unwritten.add(key);
			addTo(this.#unwritten, key, change);
		}
		for (const [key, ref] of touched) {
			if (change.lacking.size >= maxObjects) break;
			if (distribution.lackingOf(ref) === 0) continue;
			change.lacking.set(key, ref);
			addTo(this.#lacking, key, change);
		}
		if (change.lacking.size === 0) this.#end(change, "unneeded");
		else this.#follow(change);
	}

	/** A build that changes nothing for proxies, or has failed, has ended. */
	buildEnded(): void {
		this.#building = undefined;
		this.#touched = undefined;
	}

	/** A response was handed over for writing. */
	sent(): void {
		if (this.#pending.size === 0) return;
		this.#lastSentMs = this.#parts.clock.monotonicMs();
		if (this.#unsent === undefined) return;
		this.#unsent.firstSentMs = this.#lastSentMs;
		this.#unsent = undefined;
	}

	/** Statuses were written; times are monotonic. */
	statusesWritten(
		statuses: readonly ObjectStatus[],
		startMs: number,
		endMs: number,
	): void {
		if (this.#unwritten.size === 0) return;
		for (const status of statuses) {
			const key = refKey(status.ref);
			const waiting = this.#unwritten.get(key);
			if (waiting === undefined) continue;
			if (conditionOf(status, "Programmed")?.status !== "True") continue;
			for (const change of [...waiting]) {
				// What proxies do not have yet, this status is not about.
				if (change.result === undefined || startMs < change.endedMs) continue;
				removeFrom(this.#unwritten, key, change);
				change.unwritten.delete(key);
				if (change.unwritten.size > 0) continue;
				change.written = { startMs, endMs };
				this.#reached(change, "written", endMs);
				this.#close(change);
			}
		}
	}

	#follow(change: Change): void {
		this.#unsent = change;
		this.#pending.add(change);
		change.cancel = this.#parts.clock.after(lateMs, () =>
			this.#end(change, "late"),
		);
		if (this.#pending.size <= maxPending) return;
		for (const oldest of this.#pending) {
			this.#end(oldest, "unfollowed");
			return;
		}
	}

	/** A newer form of an object is on its way. */
	#supersede(key: string): void {
		for (const older of [...(this.#lacking.get(key) ?? [])]) {
			older.isSuperseded = true;
			this.#has(older, key);
		}
	}

	#moved(refs: Iterable<ObjectRef>): void {
		const touched = this.#touched;
		if (touched !== undefined) {
			for (const ref of refs) touched.set(refKey(ref), ref);
			return;
		}
		if (this.#lacking.size === 0) return;
		for (const ref of refs) {
			const key = refKey(ref);
			const waiting = this.#lacking.get(key);
			if (waiting === undefined) continue;
			if (this.#parts.distribution.lackingOf(ref) > 0) continue;
			for (const change of [...waiting]) this.#has(change, key);
		}
	}

	/** Nobody lacks an object of a change any more, in this form. */
	#has(change: Change, key: string): void {
		removeFrom(this.#lacking, key, change);
		change.lacking.delete(key);
		if (change.lacking.size === 0)
			this.#end(change, change.isSuperseded ? "superseded" : "acknowledged");
	}

	/** Its way to proxies has ended. */
	#end(change: Change, result: ChangeResult): void {
		if (change.result !== undefined) return;
		const { clock, distribution } = this.#parts;
		change.cancel();
		change.result = result;
		change.endedMs = clock.monotonicMs();
		this.#pending.delete(change);
		if (this.#unsent === change) this.#unsent = undefined;
		if (change.firstSentMs !== undefined) change.lastSentMs = this.#lastSentMs;
		for (const [key, ref] of change.lacking) {
			removeFrom(this.#lacking, key, change);
			if (result !== "late" || change.missing.length > 0) continue;
			const reach = distribution.reachOf(ref);
			change.missing = reach.missing;
			change.rejected = reach.rejected;
		}
		this.#figures.ended(result);
		if (result === "acknowledged") {
			if (change.lastSentMs !== undefined)
				this.#reached(change, "sent", change.lastSentMs);
			this.#reached(change, "acknowledged", change.endedMs);
		}
		const saysSo = result === "acknowledged" || result === "unneeded";
		if (change.unwritten.size > 0 && saysSo)
			change.cancel = clock.after(unwrittenMs, () => this.#close(change));
		else this.#close(change);
	}

	/** Nothing more is waited for. */
	#close(change: Change): void {
		change.cancel();
		for (const key of change.unwritten)
			removeFrom(this.#unwritten, key, change);
		const { spans, newId, generationOf } = this.#parts;
		if (change.isTraced)
			spans?.add(changeSpans(change, { newId, generationOf }));
	}

	#reached(
		change: Change,
		stage: Parameters<ChangeFigures["reached"]>[0],
		atMs: number,
	): void {
		this.#figures.reached(stage, (atMs - change.startMs) / 1000);
	}

	#waitingForStatus(): Set<Change> {
		return new Set([...this.#unwritten.values()].flatMap((set) => [...set]));
	}
}

function newChange(startMs: number, startWallMs: number): Change {
	return {
		startMs,
		startWallMs,
		objects: [],
		count: 0,
		isTraced: false,
		buildMs: 0,
		builtMs: 0,
		generatedMs: 0,
		resources: 0,
		proxies: 0,
		firstSentMs: undefined,
		lastSentMs: undefined,
		lacking: new Map(),
		isSuperseded: false,
		result: undefined,
		endedMs: 0,
		missing: [],
		rejected: 0,
		unwritten: new Set(),
		written: undefined,
		cancel: () => undefined,
	};
}

function addTo(
	index: Map<string, Set<Change>>,
	key: string,
	change: Change,
): void {
	const set = index.get(key);
	if (set === undefined) index.set(key, new Set([change]));
	else set.add(change);
}

function removeFrom(
	index: Map<string, Set<Change>>,
	key: string,
	change: Change,
): void {
	const set = index.get(key);
	set?.delete(change);
	if (set?.size === 0) index.delete(key);
}
