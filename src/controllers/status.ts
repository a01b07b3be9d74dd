/*
 * The way back: what is known about each object, to its owner.
 *
 *   objects, invalid ─┐
 *   findings ─────────┼─ keys ─▶ hold off ─▶ decide ─ differs ─▶ write
 *   distribution ─────┘                        ▲                   │ fails
 *                                              └──── later ────────┘
 *
 * Only keys wait, so a thousand acknowledgements of one object are one decision,
 * made from what is true then.
 */
import type { ObjectRef } from "../api/object-ref.ts";
import type { InvalidObject, Objects } from "../api/objects.ts";
import { isOwnKind } from "../api/own-kinds.ts";
import type { ObjectStatus } from "../api/status.ts";
import type { Clock } from "../lib/clock.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { Finding } from "../mesh/finding.ts";
import type { Logger } from "../observability/logger.ts";
import type { Counter, MetricsRegistry } from "../observability/metrics.ts";
import type { HeldBack, ProxyRejection } from "../reconcilers/distribution.ts";
import { decideStatus } from "../reconcilers/status.ts";
import { decideEvents } from "../reconcilers/status-events.ts";
import type { EventWriter, StatusWriter } from "../store/object-writer.ts";
import { refKey } from "../store/ref-key.ts";
import type { DistributionReader } from "./distribution-reader.ts";
import { HeldOffCall } from "./held-off-call.ts";
import type { HoldOff } from "./hold-off.ts";
import type { MeshState } from "./mesh.ts";
import { changedOwnObjects, ownObjectAt } from "./own-objects.ts";
import { QueueFigures } from "./queue-figures.ts";
import { SpacedCall } from "./spaced-call.ts";
import { StatusOutbox } from "./status-outbox.ts";

/** What the controller watches. */
export interface StatusInputs {
	readonly objects: Signal<Objects>;
	/** By `refKey`; set before `objects`. */
	readonly invalid: Signal<ReadonlyMap<string, InvalidObject>>;
	/** False until every source has listed; nothing is said before. */
	readonly allListed: Signal<boolean>;
	readonly mesh: Signal<MeshState>;
	readonly distribution: DistributionReader;
	/** Objects that are kept out of the mesh, by `refKey`; absent where none ever is. */
	readonly heldBack?: Signal<ReadonlyMap<string, HeldBack>>;
}

/** How often statuses are decided and written. Milliseconds. */
export interface StatusPace {
	/** Changes that come closer together than `quietMs` are one; none waits longer than `maxMs`. */
	readonly holdOff: HoldOff;
	/** Least time between two writes for one object that differ in counts and messages only, and between two looks at all objects because proxies came or went. */
	readonly progressMs: number;
	/** Wait after a failed write; doubles with each further failure, up to 32 times as long. */
	readonly retryMs: number;
}

/** One decision for a change and all its acknowledgements, mostly; progress once a second. */
export const defaultPace: StatusPace = {
	holdOff: { quietMs: 20, maxMs: 100 },
	progressMs: 1000,
	retryMs: 1000,
};

/** What the controller works with. */
export interface StatusControllerParts {
	readonly inputs: StatusInputs;
	readonly statuses: StatusWriter;
	readonly events: EventWriter;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
	readonly pace?: StatusPace;
}

/** What was said of an object last. */
interface Said {
	readonly status: ObjectStatus;
	readonly rejections: readonly ProxyRejection[];
	/** Monotonic. */
	readonly atMs: number;
}

/**
 * Keeps the status of every object of ours current.
 *
 * Guarantees: a status is written when it differs from the one written last;
 *   no status waits for the write of others; a failed write is tried again with
 *   what is true then.
 */
export class StatusController {
	readonly #parts: StatusControllerParts;
	readonly #pace: StatusPace;
	readonly #decision: HeldOffCall;
	/** A look at every object: not for each proxy of a thousand that come at once. */
	readonly #sweep: SpacedCall;
	readonly #evaluations: Counter;
	readonly #queue: QueueFigures;
	readonly #stops: (() => void)[] = [];
	readonly #said = new Map<string, Said>();
	/** Objects to look at again. */
	#dirty = new Map<string, ObjectRef>();
	/** Objects of which there is only progress to report. */
	#late = new Map<string, ObjectRef>();
	/** Objects that some proxies lack, and how much of them at the last look. */
	readonly #underway = new Map<
		string,
		{ readonly ref: ObjectRef; readonly lacking: number }
	>();
	/** Objects whose good form is not in the mesh. */
	readonly #unbuilt = new Map<string, ObjectRef>();
	readonly #outbox: StatusOutbox;
	#findings: ReadonlyMap<string, readonly Finding[]> = new Map();
	#findingList: readonly Finding[] = [];
	#objects: Objects | undefined;
	#invalid: ReadonlyMap<string, InvalidObject> = new Map();
	#heldBack: ReadonlyMap<string, HeldBack> = new Map();
	#cancelLate: (() => void) | undefined;
	readonly #isComplete = new WritableSignal(false);

	/** Starts at once; disposing ends it. */
	constructor(parts: StatusControllerParts) {
		this.#parts = parts;
		this.#pace = parts.pace ?? defaultPace;
		const { inputs, clock, metrics } = parts;
		this.#decision = new HeldOffCall(clock, this.#pace.holdOff, () =>
			this.#decide(),
		);
		this.#outbox = new StatusOutbox({
			...parts,
			retryMs: this.#pace.retryMs,
			isNewest: (key, status) => this.#said.get(key)?.status === status,
		});
		this.#sweep = new SpacedCall(clock, this.#pace.progressMs, () =>
			this.#markAll([...this.#said.values()].map(({ status }) => status.ref)),
		);
		this.#evaluations = metrics.counter(
			"lateen_status_decisions_total",
			"Decisions about the status of one object.",
		);
		this.#queue = new QueueFigures(metrics, {
			controller: "status",
			depth: () => this.#dirty.size,
			clock,
		});
		this.#stops.push(
			inputs.invalid.subscribe(() => this.#takeInvalid()),
			inputs.objects.subscribe(() => this.#takeObjects()),
			inputs.heldBack?.subscribe((now) => this.#takeHeldBack(now)) ??
				(() => undefined),
			inputs.mesh.subscribe((state) => this.#takeMesh(state)),
			inputs.distribution.subscribe((refs) => this.#markAll(refs)),
			inputs.distribution.subscribeTotals(() => this.#sweep.ask()),
			inputs.allListed.subscribe(() => {
				this.#schedule();
				this.#lookWhetherComplete();
			}),
		);
		this.#takeInvalid();
		this.#takeObjects();
		this.#takeMesh(inputs.mesh.value);
	}

	/** True as soon as every object that there was at the start has a status from the first mesh. */
	get isComplete(): Signal<boolean> {
		return this.#isComplete;
	}

	[Symbol.dispose](): void {
		for (const stop of this.#stops.splice(0)) stop();
		this.#decision.cancel();
		this.#sweep.cancel();
		this.#cancelLate?.();
		this.#outbox[Symbol.dispose]();
	}

	#takeObjects(): void {
		const now = this.#parts.inputs.objects.value;
		const before = this.#objects;
		this.#objects = now;
		this.#markAll(changedOwnObjects(before, now));
	}

	#takeInvalid(): void {
		const now = this.#parts.inputs.invalid.value;
		const before = this.#invalid;
		this.#invalid = now;
		for (const [key, one] of now)
			if (before.get(key) !== one) this.#mark(one.ref);
		for (const [key, { ref }] of before) if (!now.has(key)) this.#mark(ref);
	}

	#takeHeldBack(now: ReadonlyMap<string, HeldBack>): void {
		const before = this.#heldBack;
		this.#heldBack = now;
		for (const key of new Set([...before.keys(), ...now.keys()])) {
			const said = this.#said.get(key);
			// Of an object that nothing was said of yet, everything is said soon.
			if (before.get(key) !== now.get(key) && said !== undefined)
				this.#mark(said.status.ref);
		}
	}

	#takeMesh(state: MeshState): void {
		this.#markAll(this.#unbuilt.values());
		this.#takeFindings(state);
		this.#lookWhetherComplete();
	}

	#takeFindings(state: MeshState): void {
		if (state.findings === this.#findingList) return;
		this.#findingList = state.findings;
		const before = this.#findings;
		const now = Map.groupBy(state.findings, ({ about }) => refKey(about));
		this.#findings = now;
		for (const [key, [finding]] of before)
			if (finding && !now.has(key)) this.#mark(finding.about);
		for (const [key, list] of now)
			if (list[0] && !deepEqual(before.get(key), list))
				this.#mark(list[0].about);
	}

	#markAll(refs: Iterable<ObjectRef>): void {
		for (const ref of [...refs]) this.#mark(ref);
	}

	#mark(ref: ObjectRef): void {
		if (!isOwnKind(ref.kind)) return;
		this.#dirty.set(refKey(ref), ref);
		this.#queue.added();
		this.#schedule();
	}

	#schedule(): void {
		if (this.#dirty.size > 0 && this.#parts.inputs.allListed.value)
			this.#decision.ask();
	}

	#decide(): void {
		this.#queue.began();
		const dirty = this.#dirty;
		this.#dirty = new Map();
		const gone: ObjectRef[] = [];
		for (const [key, ref] of dirty)
			if (!this.#decideOne(key, ref)) gone.push(ref);
		this.#queue.ended();
		if (gone.length > 0) this.#parts.statuses.forget(gone);
		this.#scheduleLate();
		this.#outbox.write();
		this.#lookWhetherComplete();
	}

	#lookWhetherComplete(): void {
		const { allListed, mesh } = this.#parts.inputs;
		const { mesh: built, failure } = mesh.value;
		if (!allListed.value || this.#dirty.size > 0) return;
		// What cannot be built is not waited for: its status says so.
		if (
			failure === undefined &&
			(built === undefined || this.#unbuilt.size > 0)
		)
			return;
		this.#isComplete.set(true);
	}

	/** Answers whether the object still exists. */
	#decideOne(key: string, ref: ObjectRef): boolean {
		const { inputs, clock, events } = this.#parts;
		const good = ownObjectAt(inputs.objects.value, ref);
		const invalid = inputs.invalid.value.get(key);
		if (good === undefined && invalid === undefined) {
			this.#said.delete(key);
			this.#unbuilt.delete(key);
			this.#late.delete(key);
			this.#underway.delete(key);
			this.#outbox.forget(key);
			return false;
		}
		const isBuilt =
			good === undefined ||
			ownObjectAt(inputs.mesh.value.objects, ref) === good;
		if (isBuilt) this.#unbuilt.delete(key);
		else this.#unbuilt.set(key, ref);
		const goodGeneration = good?.metadata.generation;
		const said = this.#said.get(key);
		const distribution = inputs.distribution.of(ref);
		const lacking = inputs.distribution.lackingOf(ref);
		if (lacking > 0) this.#underway.set(key, { ref, lacking });
		else this.#underway.delete(key);
		const held = inputs.heldBack?.value.get(key);
		// A newer form is not held back for what an older one did.
		const heldBack = held?.generation === goodGeneration ? held : undefined;
		const nowMs = clock.nowMs();
		const status = decideStatus(
			{
				ref,
				generation: invalid?.generation ?? goodGeneration ?? 0,
				violations: invalid?.violations ?? [],
				goodGeneration,
				isBuilt,
				buildFailure: failureText(inputs.mesh.value),
				findings: this.#findings.get(key) ?? [],
				distribution,
				heldBack,
				previous: said?.status,
			},
			nowMs,
		);
		this.#evaluations.add();
		const { rejections } = heldBack ?? distribution;
		for (const event of decideEvents({
			previous: said?.status,
			next: status,
			rejectionsBefore: said?.rejections ?? [],
			rejections,
		}))
			events.note(event, nowMs);
		this.#say(key, { status, rejections, atMs: clock.monotonicMs() });
		return true;
	}

	#say(key: string, next: Said): void {
		const said = this.#said.get(key);
		if (said !== undefined && deepEqual(said.status, next.status)) {
			this.#late.delete(key);
			this.#said.set(key, { ...said, rejections: next.rejections });
			return;
		}
		if (
			said !== undefined &&
			isOnlyProgress(said.status, next.status) &&
			next.atMs - said.atMs < this.#pace.progressMs
		) {
			this.#late.set(key, next.status.ref);
			this.#said.set(key, { ...said, rejections: next.rejections });
			return;
		}
		this.#late.delete(key);
		this.#said.set(key, next);
		this.#outbox.put(key, next.status);
	}

	/** Looks again at what only moves on: nobody tells of each acknowledgement, only of the last. */
	#scheduleLate(): void {
		if (this.#cancelLate !== undefined) return;
		if (this.#late.size === 0 && this.#underway.size === 0) return;
		const { clock, inputs } = this.#parts;
		this.#cancelLate = clock.after(this.#pace.progressMs, () => {
			this.#cancelLate = undefined;
			const late = this.#late;
			this.#late = new Map();
			for (const [key, { ref, lacking }] of this.#underway)
				if (inputs.distribution.lackingOf(ref) !== lacking) late.set(key, ref);
			this.#markAll(late.values());
			this.#scheduleLate();
		});
	}
}

function failureText({ failure }: MeshState): string | undefined {
	if (failure === undefined) return undefined;
	const { error } = failure;
	return error instanceof Error ? error.message : String(error);
}

/** Whether two statuses differ in counts and messages only. */
function isOnlyProgress(before: ObjectStatus, after: ObjectStatus): boolean {
	return (
		before.observedGeneration === after.observedGeneration &&
		before.conditions.every((one, index) => {
			const other = after.conditions[index];
			return (
				one.status === other?.status &&
				one.reason === other.reason &&
				one.observedGeneration === other.observedGeneration
			);
		})
	);
}
