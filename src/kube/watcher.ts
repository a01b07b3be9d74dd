/*
 * Drives the pure step of list-watch.ts: does what it says, tells it what came.
 *
 *   step ─▶ effects ─▶ request, wait, discover ─▶ lines, pages ─▶ events ─▶ step
 *              └─▶ items kept ─▶ onChange
 */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../lib/clock.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { pause } from "../lib/pause.ts";
import type { Signal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type { KubeConnection, KubeResponse } from "./connection.ts";
import { discoverVersions } from "./discover-versions.ts";
import { type Asked, errorOf } from "./error-of.ts";
import { KubeError } from "./kube-error.ts";
import { ListPatience } from "./list-patience.ts";
import {
	initialState,
	step,
	type WatchEffect,
	type WatchEvent,
	type WatchState,
} from "./list-watch.ts";
import { OversizedAnswer, readBounded, readFailure } from "./read-bounded.ts";
import { apiVersionOf } from "./resources.ts";
import { LineSplitter } from "./split-lines.ts";
import {
	isVersionTooNew,
	parseWatchLine,
	parseWatchPage,
	type WatchedObject,
} from "./watch-answer.ts";
import type { WatchMetrics } from "./watch-metrics.ts";
import { type Watched, watchRequest } from "./watch-request.ts";
import { WatchStanding, type WatchStatus } from "./watch-standing.ts";
import {
	type ItemChange,
	WatchedItems,
	type WatchLimits,
} from "./watched-items.ts";

/** What is told of a kind. */
export type WatchedChange<T> =
	/** All there is, by key; what is not in it is gone. */
	| { readonly type: "listed"; readonly items: ReadonlyMap<string, T> }
	/** What happened since, in order. */
	| { readonly type: "changed"; readonly changes: readonly ItemChange<T>[] };

/** What a watcher needs. */
export interface WatchOptions<T> extends Watched {
	readonly connection: KubeConnection;
	/**
	 * What is kept of an object; must not throw. `apiVersion` and `kind` are those
	 * of `resource`, also where the server leaves them out or offers another version.
	 */
	readonly project: (object: Readonly<Record<string, unknown>>) => T;
	/** Whether two forms are the same to whoever uses them; by default `deepEqual`. */
	readonly isEqual?: (a: T, b: T) => boolean;
	/** Hears of every list and of all changes; what is the same as before is not told. */
	readonly onChange: (change: WatchedChange<T>) => void;
	readonly clock: Clock;
	/** From 0 to below 1; by default `Math.random`. */
	readonly random?: () => number;
	readonly logger: Logger;
	readonly metrics?: WatchMetrics;
	/** By default 500,000 objects and 256 MiB. */
	readonly limits?: WatchLimits;
	/** A larger page is asked for in parts; by default what one answer may have. */
	readonly maxPageBytes?: number;
}

/** A kind that is kept current. */
export interface Watcher<T> {
	readonly status: Signal<WatchStatus>;
	/** When the server was last heard of, with an object or a bookmark: milliseconds since the epoch. */
	readonly lastEventMs: number | undefined;
	/** All objects by `namespace/name`, as they are now. */
	items(): ReadonlyMap<string, T>;
	/** Runs until aborted; whatever the server does, it goes on. */
	run(signal: AbortSignal): Promise<void>;
}

/** Far above what etcd takes for one object (1.5 MiB) and what a server accepts (3 MiB). */
const MAX_LINE_BYTES = 8 * 1024 * 1024;

const DEFAULT_LIMITS: WatchLimits = {
	maxObjects: 500_000,
	maxBytes: 256 * 1024 * 1024,
};

/** Objects of a page that are read before others may run: some milliseconds. */
const OBJECTS_AT_ONCE = 50;

/** Watches the objects of a kind; nothing is asked before it runs. */
export function watch<T>(options: WatchOptions<T>): Watcher<T> {
	return new DrivenWatcher(options);
}

interface Entry<T> {
	readonly key: string;
	/** Undefined for an object that is gone. */
	readonly value: T | undefined;
}

/** An effect that takes time; what it brings leads to the next. */
type Activity = Extract<
	WatchEffect<unknown>,
	{ do: "stream" | "page" | "follow" | "discover" | "wait" }
>;

class DrivenWatcher<T> implements Watcher<T> {
	readonly #options: WatchOptions<T>;
	readonly #items: WatchedItems<T>;
	readonly #standing: WatchStanding;
	readonly #asked: Asked;
	readonly #labels: { readonly resource: string };
	#state: WatchState;
	#changes: ItemChange<T>[] = [];
	#lastEventMs: number | undefined;

	constructor(options: WatchOptions<T>) {
		const { resource, namespace = "", limits = DEFAULT_LIMITS } = options;
		this.#options = options;
		this.#items = new WatchedItems(options.isEqual ?? deepEqual, limits);
		this.#asked = { verb: "watch", resource, namespace };
		this.#labels = { resource: resource.plural };
		this.#state = initialState(resource.version);
		this.#standing = new WatchStanding(options);
	}

	get status(): Signal<WatchStatus> {
		return this.#standing.status;
	}

	get lastEventMs(): number | undefined {
		return this.#lastEventMs;
	}

	items(): ReadonlyMap<string, T> {
		return this.#items.values();
	}

	async run(signal: AbortSignal): Promise<void> {
		try {
			let activity = this.#feed({ type: "start" });
			while (!signal.aborted) {
				if (activity === undefined) throw new Error("nothing left to do");
				activity = await this.#perform(activity, signal);
			}
		} catch (error) {
			if (!signal.aborted) throw error;
		}
	}

	async #perform(
		activity: Activity,
		signal: AbortSignal,
	): Promise<Activity | undefined> {
		const { metrics, clock } = this.#options;
		if (activity.do === "wait") {
			await pause(clock, activity.ms, signal);
			signal.throwIfAborted();
			return this.#feed({ type: "woken" });
		}
		metrics?.requests.add(1, { ...this.#labels, request: activity.do });
		try {
			switch (activity.do) {
				case "discover":
					return await this.#discover(signal);
				case "page":
					return await this.#readPage(activity, signal);
				case "stream":
				case "follow":
					return await this.#readStream(activity, signal);
			}
		} catch (error) {
			signal.throwIfAborted();
			if (!(error instanceof KubeError)) throw error;
			return this.#fail(error);
		}
	}

	async #discover(signal: AbortSignal): Promise<Activity | undefined> {
		const { connection, resource } = this.#options;
		const versions = await discoverVersions(connection, resource, signal);
		return this.#feed({ type: "served", versions });
	}

	async #readPage(
		activity: Extract<Activity, { do: "page" }>,
		signal: AbortSignal,
	): Promise<Activity | undefined> {
		const response = await this.#ask(activity, signal);
		if ("next" in response) return response.next;
		const asked = { ...this.#asked, verb: "list" };
		let text: string;
		try {
			text = await readBounded(response.body, this.#options.maxPageBytes);
		} catch (error) {
			if (!(error instanceof OversizedAnswer)) throw error;
			return this.#feed({ type: "page-too-large", error });
		}
		const { objects, resourceVersion, next } = parseWatchPage(text, asked);
		const items: Entry<T>[] = [];
		for (const object of objects) {
			items.push(this.#project(object));
			if (items.length % OBJECTS_AT_ONCE === 0) await setImmediate();
		}
		signal.throwIfAborted();
		return this.#feed({ type: "page", items, resourceVersion, next });
	}

	async #readStream(
		activity: Extract<Activity, { do: "stream" | "follow" }>,
		signal: AbortSignal,
	): Promise<Activity | undefined> {
		const { clock, resource } = this.#options;
		const list = new ListPatience(clock, resource);
		if (activity.do === "follow") list.end();
		try {
			const either = AbortSignal.any([signal, list.signal]);
			const response = await this.#ask(activity, either);
			if ("next" in response) return response.next;
			const opened = this.#feed({ type: "opened" });
			if (opened !== undefined) return opened;
			const lines = new LineSplitter(MAX_LINE_BYTES);
			for await (const chunk of response.body) {
				list.heard();
				for (const line of lines.push(chunk)) {
					const next = this.#takeLine(line);
					if (next !== undefined) return next;
				}
				if (lines.isTooLong) throw this.#tooLongLine();
				if (this.#state.doing === "follow") list.end();
				// One batch for what came at once.
				this.#flush();
			}
		} finally {
			list.end();
			if (!signal.aborted) this.#flush();
		}
		signal.throwIfAborted();
		return this.#feed({ type: "closed" });
	}

	/** The answer when it is a good one, otherwise what to do next. */
	async #ask(
		activity: Extract<Activity, { do: "stream" | "page" | "follow" }>,
		signal: AbortSignal,
	): Promise<KubeResponse | { readonly next: Activity | undefined }> {
		const { connection } = this.#options;
		const request = watchRequest(this.#options, this.#state.version, activity);
		const response = await connection.request(request, signal);
		if (response.status === 200) return response;
		const text = await readFailure(response.body);
		const verb = activity.do === "page" ? "list" : "watch";
		const { status, headers } = response;
		const error = errorOf({ status, headers, text }, { ...this.#asked, verb });
		return { next: this.#fail(error, isVersionTooNew(text)) };
	}

	#takeLine(line: string): Activity | undefined {
		const { metrics, clock } = this.#options;
		const read = parseWatchLine(line, this.#asked);
		switch (read.type) {
			case "error":
				return this.#fail(read.error, read.isVersionTooNew);
			case "bookmark":
				this.#lastEventMs = clock.nowMs();
				metrics?.events.add(1, { ...this.#labels, event: "bookmark" });
				return this.#feed(read);
			case "put":
			case "delete": {
				this.#lastEventMs = clock.nowMs();
				const { key, resourceVersion } = read.object;
				return this.#feed({
					type: "object",
					op: read.type,
					resourceVersion,
					item:
						read.type === "put"
							? this.#project(read.object)
							: { key, value: undefined },
				});
			}
		}
	}

	#project({ key, content }: WatchedObject): Entry<T> {
		const { resource, project } = this.#options;
		const apiVersion = apiVersionOf(resource);
		// Items of a list come without them.
		const value = project(
			Object.assign(content, { apiVersion, kind: resource.kind }),
		);
		return { key, value };
	}

	#fail(error: KubeError, needsList = false): Activity | undefined {
		const { metrics } = this.#options;
		const next = this.#feed({ type: "failed", error, needsList });
		// The end of a watch that was good is none, whatever ended it.
		if (this.#state.failures > 0)
			metrics?.failures.add(1, { ...this.#labels, code: error.code });
		return next;
	}

	/** Takes a step and does at once what takes no time; answers what does. */
	#feed(event: WatchEvent<Entry<T>>): Activity | undefined {
		const { clock, random = Math.random } = this.#options;
		const moment = { nowMs: clock.monotonicMs(), random: random() };
		const before = this.#state;
		const { state, effects } = step(before, event, moment);
		this.#state = state;
		let activity: Activity | undefined;
		for (const effect of effects) {
			switch (effect.do) {
				case "begin":
					this.#items.begin();
					break;
				case "collect":
					if (!this.#collect(effect.op, effect.items))
						return this.#giveUp(before);
					break;
				case "commit":
					this.#commit();
					break;
				case "apply":
					if (!this.#apply(effect.op, effect.item)) return this.#giveUp(before);
					break;
				default:
					activity = effect;
			}
		}
		this.#standing.set(this.#state);
		return activity;
	}

	#collect(op: "put" | "delete", entries: readonly Entry<T>[]): boolean {
		for (const { key, value } of entries) {
			if (op === "delete" || value === undefined) this.#items.uncollect(key);
			else if (!this.#items.collect(key, value)) return false;
		}
		return true;
	}

	#commit(): void {
		this.#changes = [];
		this.#items.commit();
		this.#options.metrics?.objects.set(this.#items.size, this.#labels);
		this.#options.onChange({ type: "listed", items: this.#items.values() });
	}

	#apply(op: "put" | "delete", { key, value }: Entry<T>): boolean {
		const { metrics } = this.#options;
		if (op === "delete" || value === undefined) {
			const gone = this.#items.delete(key);
			metrics?.events.add(1, { ...this.#labels, event: "deleted" });
			if (gone !== undefined)
				this.#changes.push({ op: "delete", key, value: gone });
			return true;
		}
		const outcome = this.#items.put(key, value);
		metrics?.events.add(1, { ...this.#labels, event: outcome });
		if (outcome === "changed") this.#changes.push({ op: "put", key, value });
		return outcome !== "too-much";
	}

	#flush(): void {
		if (this.#changes.length === 0) return;
		const changes = this.#changes;
		this.#changes = [];
		this.#options.metrics?.objects.set(this.#items.size, this.#labels);
		this.#options.onChange({ type: "changed", changes });
	}

	/** Takes back a step that cannot be done because there is more than may be kept. */
	#giveUp(before: WatchState): Activity | undefined {
		const { resource, limits = DEFAULT_LIMITS } = this.#options;
		this.#state = before;
		const error = new KubeError(
			"KUBE_FAILED",
			`There are more ${resource.plural} than this process keeps: at most ${limits.maxObjects.toLocaleString("en")} objects and about ${Math.round(limits.maxBytes / 1024 / 1024)} MiB of what is used of them. Remove what is not needed, or give the process more memory.`,
		);
		return this.#fail(error, true);
	}

	#tooLongLine(): KubeError {
		return new KubeError(
			"KUBE_FAILED",
			`An object among the ${this.#options.resource.plural} is larger than ${MAX_LINE_BYTES / 1024 / 1024} MiB, which no object can be. Look at what stands before the API server.`,
		);
	}
}
