/*
 * Objects to mesh: the loop that runs `buildMesh`.
 *
 *   store ─ changed ─▶ hold off ─▶ build ─▶ apply ─▶ state
 *                                   │ throws
 *                                   └▶ the last good mesh stays, and the failure is state too
 */
import type { Objects } from "../api/objects.ts";
import type { Clock } from "../lib/clock.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { MeshEdition } from "../mesh/editions.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Mesh } from "../mesh/mesh.ts";
import type { Logger } from "../observability/logger.ts";
import {
	type Counter,
	type Gauge,
	type Histogram,
	type MetricsRegistry,
	secondsBuckets,
} from "../observability/metrics.ts";
import { buildTimeMs, type HoldOff } from "./hold-off.ts";
import { QueueFigures } from "./queue-figures.ts";

/** What a build makes of all objects. */
export interface BuiltMesh {
	readonly mesh: Mesh;
	readonly findings: readonly Finding[];
	/** The same mesh for proxies that refuse some of it; the same list when none differs from the last build. */
	readonly editions?: readonly MeshEdition[];
}

/** What the controller watches. */
export interface MeshInputs {
	readonly objects: Signal<Objects>;
	/** False until every source has listed; nothing is built before. */
	readonly allListed: Signal<boolean>;
}

/** What the controller works with. */
export interface MeshControllerParts<Built extends BuiltMesh> {
	readonly inputs: MeshInputs;
	readonly build: (objects: Objects, previous: Built | undefined) => Built;
	/** Puts a new mesh or new editions of it in force; a throw counts as a failed build. */
	readonly apply: (mesh: Mesh, editions: readonly MeshEdition[]) => void;
	readonly holdOff: HoldOff;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** What came of the builds so far. */
export interface MeshState {
	/** The mesh in force; undefined before the first good build. */
	readonly mesh: Mesh | undefined;
	/** What the mesh in force was built from. */
	readonly objects: Objects | undefined;
	/** Of the mesh in force. */
	readonly findings: readonly Finding[];
	/** Good builds since the start. */
	readonly builds: number;
	/** Set while the newest objects could not be built; then `mesh` is older than they are. */
	readonly failure:
		| { readonly atMs: number; readonly error: unknown }
		| undefined;
}

const noEditions: readonly MeshEdition[] = [];

/**
 * Builds the mesh when objects have changed.
 *
 * Guarantees: one build at a time, always of the newest objects; a build that
 *   fails changes nothing that is in force.
 */
export class MeshController<Built extends BuiltMesh> {
	readonly #parts: MeshControllerParts<Built>;
	readonly #state = new WritableSignal<MeshState>({
		mesh: undefined,
		objects: undefined,
		findings: [],
		builds: 0,
		failure: undefined,
	});
	readonly #builds: Counter<"result">;
	readonly #queue: QueueFigures;
	readonly #seconds: Histogram;
	readonly #failing: Gauge;
	readonly #stops: (() => void)[] = [];
	#waiting:
		| {
				readonly firstMs: number;
				readonly lastMs: number;
				readonly removes: boolean;
				readonly cancel: () => void;
		  }
		| undefined;
	#seen: Objects;
	#built: Built | undefined;
	#editions: readonly MeshEdition[] = noEditions;
	#builtMs = Number.NEGATIVE_INFINITY;

	/** Starts at once; disposing ends it. */
	constructor(parts: MeshControllerParts<Built>) {
		this.#parts = parts;
		const { inputs, metrics } = parts;
		this.#seen = inputs.objects.value;
		this.#builds = metrics.counter(
			"lateen_mesh_builds_total",
			"Builds of the mesh, by result: ok or failed.",
			["result"],
		);
		this.#seconds = metrics.histogram(
			"lateen_mesh_build_seconds",
			"Time of one build of the mesh, until it is in force.",
			secondsBuckets,
		);
		this.#queue = new QueueFigures(metrics, {
			controller: "mesh",
			depth: () => (this.#waiting === undefined ? 0 : 1),
			clock: parts.clock,
		});
		this.#failing = metrics.gauge(
			"lateen_mesh_build_failing",
			"1 while the newest objects could not be built and an older mesh is in force.",
		);
		this.#stops.push(
			inputs.objects.subscribe((objects) => this.#changed(objects)),
			inputs.allListed.subscribe((listed) => {
				if (listed) this.#build();
			}),
		);
		if (inputs.allListed.value) this.#build();
	}

	/** What came of the builds so far. */
	get state(): Signal<MeshState> {
		return this.#state;
	}

	[Symbol.dispose](): void {
		this.#waiting?.cancel();
		this.#waiting = undefined;
		for (const stop of this.#stops.splice(0)) stop();
	}

	#changed(objects: Objects): void {
		const removes = removesObjects(this.#seen, objects);
		this.#seen = objects;
		if (!this.#parts.inputs.allListed.value) return;
		const { clock, holdOff } = this.#parts;
		this.#queue.added();
		const nowMs = clock.monotonicMs();
		const before = this.#waiting;
		before?.cancel();
		const waiting = {
			firstMs: before?.firstMs ?? nowMs,
			lastMs: nowMs,
			removes: removes || before?.removes === true,
			builtMs: this.#builtMs,
		};
		const delayMs = Math.max(0, buildTimeMs(waiting, holdOff) - nowMs);
		const cancel = clock.after(delayMs, () => this.#build());
		this.#waiting = { ...waiting, cancel };
	}

	#build(): void {
		const { inputs, build, apply, clock, logger } = this.#parts;
		this.#waiting?.cancel();
		this.#waiting = undefined;
		const before = this.#state.value;
		const startMs = clock.monotonicMs();
		this.#queue.began();
		try {
			const objects = inputs.objects.value;
			const built = build(objects, this.#built);
			const { mesh, findings, editions = noEditions } = built;
			if (mesh !== before.mesh || editions !== this.#editions)
				apply(mesh, editions);
			this.#editions = editions;
			this.#built = built;
			const tookMs = clock.monotonicMs() - startMs;
			this.#builds.add(1, { result: "ok" });
			this.#seconds.observe(tookMs / 1000);
			this.#failing.set(0);
			this.#state.set({
				mesh,
				objects,
				findings,
				builds: before.builds + 1,
				failure: undefined,
			});
			if (before.failure !== undefined)
				logger.warn("The mesh can be built again.");
			logger.debug("The mesh is built.", {
				services: mesh.services.size,
				findings: findings.length,
				tookMs: Math.round(tookMs * 100) / 100,
			});
		} catch (error) {
			// A mistake of ours in one object's handling must not take a running mesh down with it.
			this.#builds.add(1, { result: "failed" });
			this.#failing.set(1);
			this.#state.set({ ...before, failure: { atMs: clock.nowMs(), error } });
			logger.error(
				"The mesh cannot be built; the last good one stays in force. This is a mistake in lateen: please report it.",
				{ error },
			);
		} finally {
			this.#queue.ended();
			this.#builtMs = clock.monotonicMs();
		}
	}
}

/** Whether some kind has fewer objects than before. Kinds that did not change are the same map. */
function removesObjects(before: Objects, after: Objects): boolean {
	return Object.entries(before).some(([kind, map]) => {
		const now = Object.entries(after).find(([name]) => name === kind)?.[1];
		return now !== map && (now?.size ?? 0) < map.size;
	});
}
