/*
 * Objects from a Kubernetes API server, kept current: one watch for each kind.
 *
 *   watch ─ whole object ─▶ projectObject ─ used fields ─▶ kept, if new ─▶ Change[]
 */
import { getHeapStatistics } from "node:v8";
import { meshKinds } from "../api/mesh-kinds.ts";
import { refOf } from "../api/metadata.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import type { Change, Kind } from "../api/objects.ts";
import type { KubeConnection } from "../kube/connection.ts";
import { resources } from "../kube/resources.ts";
import type { WatchMetrics } from "../kube/watch-metrics.ts";
import type { WatchLimits } from "../kube/watched-items.ts";
import { type WatchedChange, type Watcher, watch } from "../kube/watcher.ts";
import type { Clock } from "../lib/clock.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type { ChangeSink, Source } from "../store/source.ts";
import { createInterner } from "./intern.ts";
import { type Projected, projectObject } from "./project-object.ts";

/** What a Kubernetes source needs. */
export interface KubernetesOptions {
	/** Tells the source apart in logs and in the store. */
	readonly name: string;
	readonly connection: KubeConnection;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics?: WatchMetrics;
	/** By default those that a mesh is built from. */
	readonly kinds?: readonly Kind[];
	/** Of each kind; by default half a million objects and a tenth of what the process may use as heap. */
	readonly limits?: WatchLimits;
	/** From 0 to below 1; by default `Math.random`. */
	readonly random?: () => number;
}

/** Why a kind is not current. */
export interface KubeProblem {
	/** As in a role: `routerules.lateen.dev`, `pods`. */
	readonly resource: string;
	/** `missing`, or the code of a `KubeError`. */
	readonly reason: string;
	/** Full sentences. */
	readonly message: string;
}

/** A source that can say what is in its way. */
export interface KubernetesSource extends Source {
	/** One for each kind that is not current, ordered by resource; empty while all is well. */
	readonly problems: Signal<readonly KubeProblem[]>;
	/** When the server was last heard of: milliseconds since the epoch. */
	readonly lastEventMs: number | undefined;
}

/**
 * A source over an API server.
 *
 * Guarantees: a kind is replaced as a whole once all of it is read, so a list
 *   that breaks off changes nothing; while the server cannot be read, what was
 *   read stays. It says that everything is listed once each kind was read, or is
 *   one that the server does not know: then there is nothing of it. A kind that
 *   may not be read (403) may have objects, and a mesh without them would take
 *   routes from proxies; so it is waited for, and `problems` names the role.
 */
export function createKubernetesSource(
	options: KubernetesOptions,
): KubernetesSource {
	const problems = new WritableSignal<readonly KubeProblem[]>([]);
	let current: KubernetesRun | undefined;
	return {
		name: options.name,
		problems,
		get lastEventMs() {
			return current?.lastEventMs;
		},
		run: (sink, signal) => {
			current = new KubernetesRun(options, problems, sink);
			return current.run(signal);
		},
	};
}

class KubernetesRun {
	readonly #problems: WritableSignal<readonly KubeProblem[]>;
	readonly #sink: ChangeSink;
	readonly #watchers: ReadonlyMap<Kind, Watcher<Projected>>;
	#listed = false;

	constructor(
		options: KubernetesOptions,
		problems: WritableSignal<readonly KubeProblem[]>,
		sink: ChangeSink,
	) {
		this.#problems = problems;
		this.#sink = sink;
		const interner = createInterner();
		const maxBytes = getHeapStatistics().heap_size_limit / 10;
		const limits = options.limits ?? { maxObjects: 500_000, maxBytes };
		this.#watchers = new Map(
			(options.kinds ?? meshKinds).map((kind) => [
				kind,
				watch<Projected>({
					...options,
					limits,
					resource: resources[kind],
					project: (content) => projectObject(kind, content, interner),
					onChange: (change) => this.#sink.apply(changesOf(kind, change)),
				}),
			]),
		);
	}

	get lastEventMs(): number | undefined {
		const times = [...this.#watchers.values()].map(
			({ lastEventMs }) => lastEventMs ?? 0,
		);
		const last = Math.max(0, ...times);
		return last === 0 ? undefined : last;
	}

	async run(signal: AbortSignal): Promise<void> {
		const watchers = [...this.#watchers.values()];
		const stops = watchers.map(({ status }) =>
			status.subscribe(() => this.#publish()),
		);
		// One that ends by a mistake of ours must not leave the others running.
		const failed = new AbortController();
		const either = AbortSignal.any([signal, failed.signal]);
		try {
			await Promise.all(watchers.map((watcher) => watcher.run(either)));
		} finally {
			failed.abort();
			for (const stop of stops) stop();
		}
	}

	#publish(): void {
		const statuses = [...this.#watchers].map(([kind, { status }]) => ({
			resource: printResource(kind),
			...status.value,
		}));
		this.#problems.set(
			statuses
				.flatMap(({ resource, problem }) =>
					problem === undefined
						? []
						: [{ resource, reason: problem.kind, message: problem.message }],
				)
				.sort((a, b) => (a.resource < b.resource ? -1 : 1)),
		);
		if (this.#listed) return;
		if (!statuses.every((one) => one.isListed || one.isMissing)) return;
		this.#listed = true;
		this.#sink.listed();
	}
}

function printResource(kind: Kind): string {
	const { group, plural } = resources[kind];
	return group === "" ? plural : `${plural}.${group}`;
}

function changesOf(
	kind: Kind,
	change: WatchedChange<Projected>,
): readonly Change[] {
	switch (change.type) {
		case "listed": {
			const items = [...change.items.values()];
			return [
				{
					op: "replace-kind",
					kind,
					objects: items.flatMap((item) =>
						item.kind === "object" ? [item.object] : [],
					),
					invalid: items.flatMap((item) =>
						item.kind === "invalid" ? [item.invalid] : [],
					),
				},
			];
		}
		case "changed":
			return change.changes.map(({ op, value }): Change => {
				if (op === "delete") return { op, ref: refOfProjected(value) };
				return value.kind === "object"
					? { op: "put", object: value.object }
					: { op: "put-invalid", invalid: value.invalid };
			});
	}
}

function refOfProjected(value: Projected): ObjectRef {
	return value.kind === "object" ? refOf(value.object) : value.invalid.ref;
}
