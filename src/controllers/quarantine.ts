/*
 * Keeps an object that Envoy refuses from hurting anything but itself.
 *
 *   objects ──▶ hold back ──▶ mesh ──▶ resources ──▶ proxies
 *                  ▲                                    │
 *                  │           accepted: this form is proven, so it is the last good one
 *                  └────────── refused:  who is to blame? ◀┘
 *
 * A held-back object takes part in its last good form, or not at all when there
 * is none. It is held back by its content: as soon as it says something else, it
 * goes out. It is held back from proxies of the software that refuses it, in an
 * edition of the mesh of their own; from everybody when no software accepts it.
 * When several objects may be to blame, they are let in one half after the
 * other, each half alone among what is proven (`trials.ts`). One proxy is not
 * believed before others of the same software were asked (`second-opinion.ts`).
 */

import type { Objects } from "../api/objects.ts";
import type { Clock } from "../lib/clock.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { MeshForms } from "../mesh/editions.ts";
import type { Logger } from "../observability/logger.ts";
import type { Gauge, MetricsRegistry } from "../observability/metrics.ts";
import type { HeldBack } from "../reconcilers/distribution.ts";
import { proxyToAsk } from "../reconcilers/quarantine.ts";
import { contentOf } from "../store/content-of.ts";
import type { LastGood } from "../store/last-good.ts";
import { FormJudge } from "./form-judge.ts";
import { FormsInForce } from "./forms-in-force.ts";
import { HeardForms, type OtherForms } from "./heard-forms.ts";
import { doubtsAbout, meshForms } from "./held-forms.ts";
import { changedObjects } from "./held-kinds.ts";
import {
	KnownObjects,
	type LastGoodSink,
	type ListedObjects,
} from "./known-objects.ts";
import { PresentSoftware } from "./present-software.ts";
import { type Question, Retries, settleMs } from "./retries.ts";
import { type HeardRefusal, SecondOpinion } from "./second-opinion.ts";
import type { FormsReader } from "./told-forms.ts";
import { Trials } from "./trials.ts";
import type { Verdict, Verdicts } from "./verdicts.ts";

/** What the controller works with. */
export interface QuarantineParts {
	readonly inputs: ListedObjects & {
		readonly verdicts: Verdicts;
		/** What is told of proxies that are connected elsewhere; absent where there are none. */
		readonly others?: OtherForms;
	};
	/** What an earlier process kept. */
	readonly remembered: readonly LastGood[];
	readonly sink: LastGoodSink;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** Refusals that may wait for a build. */
const maxWaiting = 1000;

/** See the head of this file. */
export class Quarantine {
	readonly #parts: QuarantineParts;
	readonly #objects: WritableSignal<Objects>;
	readonly #known: KnownObjects;
	readonly #present: PresentSoftware;
	readonly #opinion: SecondOpinion;
	readonly #trials: Trials;
	readonly #retries: Retries;
	readonly #inForce = new FormsInForce();
	readonly #judge: FormJudge;
	readonly #heard: HeardForms | undefined;
	#asked: { readonly objects: Objects; readonly forms: MeshForms } | undefined;
	#isBuildDue = true;
	#waiting: HeardRefusal[] = [];
	readonly #heldBack = new WritableSignal<ReadonlyMap<string, HeldBack>>(
		new Map(),
	);
	readonly #stops: (() => void)[] = [];
	readonly #gauge: Gauge;

	/** Starts at once; disposing ends it. */
	constructor(parts: QuarantineParts) {
		this.#parts = parts;
		const { inputs, remembered, clock, metrics } = parts;
		this.#known = new KnownObjects(inputs, parts.sink, remembered, (key) => {
			this.#trials.forget(key);
			this.#judge.forget(key);
			this.#inForce.forget(key);
		});
		this.#present = new PresentSoftware(clock, this.#known.software, () =>
			this.#changedIfDoubted(),
		);
		this.#opinion = new SecondOpinion(
			clock,
			(software, known) => this.#present.hasOthers(software, known),
			(heard) => this.#hear(heard),
		);
		this.#trials = new Trials(clock, () => this.#nextTrials());
		this.#retries = new Retries(
			clock,
			() => this.#nextQuestion(),
			() => this.#changed(),
		);
		this.#judge = new FormJudge({
			verdicts: inputs.verdicts,
			known: this.#known,
			present: this.#present,
			inForce: this.#inForce,
			trials: this.#trials,
			retries: this.#retries,
			logger: parts.logger,
			isAcceptedElsewhere: (form, software) =>
				this.#heard?.isAccepted(form, software) === true,
			changed: () => this.#changed(),
			proven: () => this.#tellHeldBack(),
			trialOver: () => this.#nextTrials(),
		});
		this.#heard =
			inputs.others &&
			new HeardForms({
				others: inputs.others,
				known: this.#known,
				logger: parts.logger,
				changed: () => this.#changed(),
				proven: () => this.#tellHeldBack(),
			});
		this.#gauge = metrics.gauge(
			"lateen_quarantined_objects",
			"Objects that proxies refuse and that are held back in their last good form, from all or from some.",
		);
		this.#objects = new WritableSignal(inputs.objects.value);
		this.#known.take(undefined, inputs.objects.value);
		this.#stops.push(
			inputs.objects.subscribe((objects) => this.#takeObjects(objects)),
			inputs.verdicts.subscribe((verdict) => this.#take(verdict)),
			inputs.allListed.subscribe(() => this.#known.forgetGone()),
			() => this.#present[Symbol.dispose](),
			() => this.#opinion[Symbol.dispose](),
			() => this.#trials[Symbol.dispose](),
			() => this.#retries[Symbol.dispose](),
			() => this.#heard?.[Symbol.dispose](),
		);
		this.#known.forgetGone();
		this.#tellHeldBack();
	}

	/** What the mesh is to be built from, through `forms`; set again when only what is held back has changed. */
	get objects(): Signal<Objects> {
		return this.#objects;
	}

	/** What proxies here accept and refuse, for whoever serves others of them. */
	get told(): FormsReader {
		return this.#known.told;
	}

	/** Good objects that take part nowhere as they are, by `refKey`. */
	get heldBack(): Signal<ReadonlyMap<string, HeldBack>> {
		return this.#heldBack;
	}

	[Symbol.dispose](): void {
		for (const stop of this.#stops.splice(0)) stop();
	}

	/**
	 * These objects with last good forms in the place of what is held back: for
	 * everybody, and for software from which more is held back. What is not held
	 * back keeps its reference.
	 */
	forms(objects: Objects): MeshForms {
		const forms = meshForms(
			objects,
			{
				doubts: this.#doubts(objects),
				present: this.#present.all,
				asked: this.#retries.asked,
			},
			this.#asked?.forms,
		);
		this.#asked = { objects, forms };
		return forms;
	}

	/** The mesh in force was built from what `forms` answered last. */
	built(): void {
		if (this.#asked === undefined) return;
		const { objects, forms } = this.#asked;
		this.#inForce.set(forms, this.#parts.clock.monotonicMs());
		this.#isBuildDue = objects !== this.#objects.value;
		this.#judge.changed();
		if (this.#isBuildDue) return;
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const heard of waiting) this.#hear(heard);
		this.#nextTrials();
	}

	#takeObjects(objects: Objects): void {
		const before = this.#objects.value;
		this.#known.take(before, objects);
		this.#isBuildDue = true;
		this.#objects.set(objects);
		this.#tellHeldBack();
		if (this.#heard === undefined) return;
		for (const ref of changedObjects(before, objects)) this.#heard.look(ref);
	}

	#take(verdict: Verdict): void {
		switch (verdict.op) {
			case "disconnected":
				this.#present.disconnected(verdict.software, verdict.proxy);
				this.#retries.gone(verdict.proxy);
				return;
			case "connected":
				this.#meet(verdict.software, verdict.proxy);
				return;
			case "accepted":
				this.#judge.accept(verdict);
				return;
			case "refused":
				this.#opinion.refused(verdict);
				return;
		}
	}

	/** A refusal that nobody has contradicted; what was made from older objects says nothing about what is in force next. */
	#hear(heard: HeardRefusal): void {
		if (!this.#isBuildDue) this.#judge.refuse(heard);
		else if (this.#waiting.length < maxWaiting) this.#waiting.push(heard);
	}

	/** New software may accept what all others refuse, and another proxy what one alone does. */
	#meet(software: string, proxy: string): void {
		const isNew = this.#present.connected(software, proxy);
		if (isNew) this.#changedIfDoubted();
		this.#retries.look();
	}

	/** A proxy that is to be asked whether it refuses what one alone has refused. */
	#nextQuestion(): Question | undefined {
		const asked = this.#retries.asked;
		for (const [key, known] of this.#known.all) {
			if (!known.isMarked) continue;
			const object = this.#known.formNow(known.ref);
			const content = object && contentOf(object);
			if (content === undefined) continue;
			for (const [software, refusal] of known.refusals(content)) {
				const peers = [...this.#present.settledOf(software, settleMs)];
				const free = peers.filter((one) => !asked.has(one));
				const proxy = proxyToAsk(refusal, free);
				if (proxy === undefined) continue;
				refusal.asked.add(proxy);
				return { key, content, software, proxy };
			}
		}
		return undefined;
	}

	/** Lets the next groups in, when what is in force is what was asked for. */
	#nextTrials(): void {
		if (!this.#isBuildDue && this.#trials.next()) this.#changed();
	}

	/** Has the mesh built again. */
	#changed(): void {
		this.#isBuildDue = true;
		this.#objects.set({ ...this.#parts.inputs.objects.value });
		this.#tellHeldBack();
	}

	#changedIfDoubted(): void {
		if (this.#doubts(this.#parts.inputs.objects.value).size > 0)
			this.#changed();
	}

	#doubts(objects: Objects) {
		return doubtsAbout(objects, {
			known: this.#known.all,
			trials: this.#trials,
			present: this.#present.all,
		});
	}

	#tellHeldBack(): void {
		const doubts = this.#doubts(this.#parts.inputs.objects.value);
		const told = new Map<string, HeldBack>();
		for (const [key, { object, known, isForAll }] of doubts) {
			if (!isForAll) continue;
			const content = contentOf(object);
			told.set(key, {
				generation: object.metadata.generation,
				inForceGeneration: known.fallback(content)?.metadata.generation,
				rejections: [...known.refusals(content).values()].map(
					({ proxy, message }) => ({ proxy, message }),
				),
			});
		}
		this.#gauge.set(doubts.size);
		if (!deepEqual(told, this.#heldBack.value)) this.#heldBack.set(told);
	}
}
