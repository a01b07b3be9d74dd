/*
 * Events of the group events.k8s.io, on the objects they are about.
 *
 *   note ─▶ series ─ first time ──────────▶ create ─ exists already ─┐
 *              └──── again: counted ─ due ─▶ patch count ◀───────────┘
 *
 * The name of an event follows from what it says, so the same again is the same
 * object for as long as the API server keeps it (an hour by default), whoever
 * leads by then: a restart adds to the count and not to the list.
 */
import { createHash } from "node:crypto";
import { isRecord } from "../api/fields.ts";
import type { NotedEvent, ObjectIdentity } from "../api/object-event.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../observability/logger.ts";
import type { Counter, MetricsRegistry } from "../observability/metrics.ts";
import type { EventWriter } from "../store/object-writer.ts";
import { refKey } from "../store/ref-key.ts";
import { KubeError } from "./kube-error.ts";
import type { Leader } from "./leadership.ts";
import { printMicroTime } from "./lease.ts";
import type { ObjectClient, ObjectPlace } from "./object-client.ts";
import { apiVersionOf, resourceOfKind, resources } from "./resources.ts";
import type { WritePacer } from "./write-pacer.ts";

/** What the writer works with. */
export interface KubeEventParts {
	readonly client: ObjectClient;
	readonly leader: Leader;
	readonly pacer: WritePacer;
	/** This process, for whoever reads the event: `<pod>_<uuid>`. */
	readonly instance: string;
	/** The uid of an object where it is known without asking; `kubectl describe` finds events by it. */
	readonly uidOf: (ref: ObjectRef) => string | undefined;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** Who reports, as a qualified name. */
const controller = "lateen.dev/lateen";

/** Time without the same again after which it is no longer counted here; as in Kubernetes' own recorder. Milliseconds. */
const idleMs = 6 * 60_000;

/** Least time between two updates of a count after the first, so that what happens all the time costs a request a minute. Milliseconds. */
const countMs = 60_000;

/** Different events that are remembered: of 2 KB each, 2 MB. */
const maxSeries = 1000;

/** Different events of one reason about one object; what comes on top is told as one. A rule that 200 proxies refuse needs no 200 events. */
const maxPerReason = 10;

/** What is said of the others; always the same, or it would be many again. */
const combined =
	"More of the same happened than the events list; the conditions of the object say how many, and the logs what.";

/** Longest note that Kubernetes takes. Bytes. */
const maxNoteBytes = 1024;

/** Tries of one write, with doubling waits from a second: half a minute of trouble is outlived. */
const maxTries = 6;

/** What was done to the object when it happened. */
const actions: Readonly<Record<string, string>> = {
	Invalid: "Validate",
	Mended: "Validate",
	Rejected: "Program",
	Recovered: "Program",
	NotInjected: "Inject",
};

interface Series {
	readonly event: NotedEvent;
	/** Of the object when it was first noted, where that was known. */
	readonly uid: string | undefined;
	/** How often it was noted here. */
	count: number;
	/** How many of these the server has been told of. */
	told: number;
	/** When it was noted last: by the monotonic clock, and since the epoch. */
	lastMs: number;
	lastNowMs: number;
	/** When the count was told last; monotonic. */
	toldMs: number;
	/** Where the event is; undefined until it is made. */
	at: ObjectPlace | undefined;
	/** What the server counted before this process did. */
	base: number;
	tries: number;
	isBusy: boolean;
	cancel: (() => void) | undefined;
}

/** Writes events to the API server; from the leader only, whoever else notes one is not heard. */
export class KubeEventWriter implements EventWriter, Disposable {
	readonly #parts: KubeEventParts;
	readonly #writes: Counter;
	readonly #drops: Counter;
	/** By what is the same, the one noted longest ago first. */
	readonly #series = new Map<string, Series>();
	/** Different events by object and reason. */
	readonly #perReason = new Map<string, Set<string>>();
	readonly #stopState: () => void;
	/** Ends the wait of events for their turn. */
	readonly #stopping = new AbortController();
	#failed = 0;

	constructor(parts: KubeEventParts) {
		this.#parts = parts;
		this.#writes = parts.metrics.counter(
			"lateen_kube_event_writes_total",
			"Events written to Kubernetes, and their counts.",
		);
		this.#drops = parts.metrics.counter(
			"lateen_kube_event_drops_total",
			"Events that could not be written to Kubernetes and were dropped.",
		);
		this.#stopState = parts.leader.state.subscribe((leads) => {
			if (!leads) this.#forgetAll();
		});
	}

	[Symbol.dispose](): void {
		this.#stopState();
		this.#stopping.abort();
		this.#forgetAll();
	}

	note(event: NotedEvent, nowMs: number): void {
		if (!this.#parts.leader.isLeader()) return;
		const monotonicMs = this.#parts.clock.monotonicMs();
		this.#forgetIdle(monotonicMs);
		const told = this.#bounded(event);
		const key = keyOf(told);
		const uid = told.identity?.uid ?? this.#parts.uidOf(told.about);
		// What bears the name of an object that is gone begins anew.
		if (uid !== undefined && (this.#series.get(key)?.uid ?? uid) !== uid)
			this.#forget(key);
		const before = this.#series.get(key);
		this.#series.delete(key);
		const series: Series = before ?? {
			event: told,
			uid,
			count: 0,
			told: 0,
			lastMs: 0,
			lastNowMs: 0,
			toldMs: Number.NEGATIVE_INFINITY,
			at: undefined,
			base: 0,
			tries: 0,
			isBusy: false,
			cancel: undefined,
		};
		series.count += 1;
		series.lastMs = monotonicMs;
		series.lastNowMs = nowMs;
		this.#series.set(key, series);
		this.#remember(key, told);
		this.#plan(key, series, series.told < 2 ? 0 : countMs);
	}

	/** The event, or one that stands for all others like it when there are too many. */
	#bounded(event: NotedEvent): NotedEvent {
		const known = this.#perReason.get(reasonKey(event));
		if (known === undefined || known.size < maxPerReason) return event;
		if (known.has(keyOf(event))) return event;
		return { ...event, message: combined };
	}

	#remember(key: string, event: NotedEvent): void {
		const at = reasonKey(event);
		const known = this.#perReason.get(at);
		if (known === undefined) this.#perReason.set(at, new Set([key]));
		else known.add(key);
		const [oldest] = this.#series.keys();
		if (this.#series.size > maxSeries && oldest !== undefined)
			this.#forget(oldest);
	}

	#forgetIdle(nowMs: number): void {
		for (const [key, { lastMs, count, told }] of this.#series) {
			if (nowMs - lastMs < idleMs) return;
			if (told === count) this.#forget(key);
		}
	}

	#forget(key: string): void {
		const series = this.#series.get(key);
		if (series === undefined) return;
		series.cancel?.();
		this.#series.delete(key);
		const at = reasonKey(series.event);
		const known = this.#perReason.get(at);
		known?.delete(key);
		if (known?.size === 0) this.#perReason.delete(at);
		if (series.told < series.count) this.#drops.add(series.count - series.told);
	}

	#forgetAll(): void {
		for (const key of [...this.#series.keys()]) this.#forget(key);
	}

	/** Writes a series when it is due, unless that is planned already. */
	#plan(key: string, series: Series, afterToldMs: number): void {
		if (series.isBusy || series.cancel !== undefined) return;
		const { clock } = this.#parts;
		const dueMs = series.toldMs + afterToldMs - clock.monotonicMs();
		series.cancel = clock.after(Math.max(0, dueMs), () => {
			series.cancel = undefined;
			this.#tell(key, series);
		});
	}

	#tell(key: string, series: Series): void {
		const { pacer, leader, clock } = this.#parts;
		series.isBusy = true;
		const { count } = series;
		pacer
			.run(async () => {
				if (leader.isLeader() && this.#series.get(key) === series)
					await this.#write(series, count);
			}, this.#stopping.signal)
			.then(
				() => {
					series.isBusy = false;
					series.tries = 0;
					series.told = count;
					series.toldMs = clock.monotonicMs();
					if (this.#series.get(key) !== series) return;
					if (series.count > count)
						this.#plan(key, series, count < 2 ? 0 : countMs);
				},
				(error: unknown) => {
					series.isBusy = false;
					this.#fail(key, series, error);
				},
			);
	}

	#fail(key: string, series: Series, error: unknown): void {
		const { clock, logger } = this.#parts;
		if (this.#series.get(key) !== series) return;
		series.tries += 1;
		const mayPass = !(error instanceof KubeError) || error.retryable;
		if (mayPass && series.tries < maxTries) {
			series.cancel = clock.after(backoffMs(series.tries - 1, 1000), () => {
				series.cancel = undefined;
				this.#tell(key, series);
			});
			return;
		}
		this.#failed += 1;
		if (this.#failed === 1)
			logger.warn(
				"An event cannot be written to Kubernetes; it and others like it are dropped and counted. Conditions tell the same.",
				{ error },
			);
		this.#forget(key);
	}

	async #write(series: Series, count: number): Promise<void> {
		if (series.at === undefined) {
			const made = await this.#create(series.event, series.lastNowMs);
			if (made === undefined) return;
			series.at = made.at;
			series.base = made.base;
			this.#writes.add();
			this.#failed = 0;
			if (made.base + count < 2) return;
		}
		const at = series.at;
		try {
			await this.#parts.client.merge(resources.Event, at, {
				series: {
					count: series.base + count,
					lastObservedTime: printMicroTime(series.lastNowMs),
				},
			});
			this.#writes.add();
		} catch (error) {
			// The server keeps events for an hour only.
			if (error instanceof KubeError && error.code === "KUBE_NOT_FOUND") {
				series.at = undefined;
				throw new KubeError("KUBE_CONFLICT", error.message, { cause: error });
			}
			throw error;
		}
	}

	/** Makes the event, or finds the one that says the same; answers undefined when the object is gone. */
	async #create(
		event: NotedEvent,
		nowMs: number,
	): Promise<{ readonly at: ObjectPlace; readonly base: number } | undefined> {
		const { client, instance } = this.#parts;
		const { about, type, reason, message } = event;
		const identity = event.identity ?? (await this.#identityOf(about));
		if (identity === undefined) return undefined;
		const at = {
			namespace: about.namespace === "" ? "default" : about.namespace,
			name: nameFor(event, identity.uid),
		};
		try {
			await client.create(resources.Event, at.namespace, {
				metadata: at,
				eventTime: printMicroTime(nowMs),
				reportingController: controller,
				reportingInstance: instance.slice(0, 128),
				action: actions[reason] ?? reason,
				type,
				reason,
				regarding: {
					...identity,
					kind: about.kind,
					...(about.namespace !== "" && { namespace: about.namespace }),
					name: about.name,
				},
				note: bounded(message, maxNoteBytes),
			});
			return { at, base: 0 };
		} catch (error) {
			const exists =
				error instanceof KubeError && error.code === "KUBE_CONFLICT";
			if (!exists) throw error;
		}
		const { content } = await client.get(resources.Event, at);
		const series = isRecord(content["series"]) ? content["series"] : {};
		const { count } = series;
		return { at, base: typeof count === "number" ? count : 1 };
	}

	async #identityOf(ref: ObjectRef): Promise<ObjectIdentity | undefined> {
		const { client, uidOf } = this.#parts;
		const resource = resourceOfKind(ref.kind);
		if (resource === undefined) return undefined;
		const apiVersion = apiVersionOf(resource);
		const known = uidOf(ref);
		if (known !== undefined) return { apiVersion, uid: known };
		try {
			const found = await client.get(resource, ref, { metadataOnly: true });
			return { apiVersion, uid: found.metadata.uid };
		} catch (error) {
			if (error instanceof KubeError && error.code === "KUBE_NOT_FOUND")
				return undefined;
			throw error;
		}
	}
}

function keyOf({ about, type, reason, message }: NotedEvent): string {
	return JSON.stringify([refKey(about), type, reason, message]);
}

function reasonKey({ about, reason }: NotedEvent): string {
	return JSON.stringify([refKey(about), reason]);
}

function nameFor(event: NotedEvent, uid: string): string {
	const { name } = event.about;
	const hash = createHash("sha256")
		.update(JSON.stringify([uid, keyOf(event)]))
		.digest("hex");
	return `${name.slice(0, 200).replace(/[^a-z0-9]+$/, "")}.${hash.slice(0, 16)}`;
}

/** The text, cut where it is too long, between two characters. */
function bounded(text: string, maxBytes: number): string {
	if (Buffer.byteLength(text) <= maxBytes) return text;
	const cut = Buffer.from(text)
		.subarray(0, maxBytes - 3)
		.toString("utf8");
	return `${cut.replace(/\uFFFD+$/, "")}…`;
}
