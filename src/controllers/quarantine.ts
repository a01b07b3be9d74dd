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

import { refOf } from "../api/metadata.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import { printRef } from "../api/object-ref.ts";
import type { ApiObject, InvalidObject, Objects } from "../api/objects.ts";
import type { Clock } from "../lib/clock.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { MeshForms } from "../mesh/editions.ts";
import type { Logger } from "../observability/logger.ts";
import type { Gauge, MetricsRegistry } from "../observability/metrics.ts";
import type { HeldBack } from "../reconcilers/distribution.ts";
import {
	decideBlame,
	isOwnTrouble,
	proxyToAsk,
} from "../reconcilers/quarantine.ts";
import { contentOf } from "../store/content-of.ts";
import type { LastGood } from "../store/last-good.ts";
import { refKey } from "../store/ref-key.ts";
import { doubtsAbout, meshForms, objectsFor } from "./held-forms.ts";
import {
	changedObjects,
	isHeldKind,
	keptKinds,
	keptObjectAt,
} from "./held-kinds.ts";
import { KnownObject, type Refusal } from "./known-object.ts";
import { PresentSoftware } from "./present-software.ts";
import { type Question, Retries, settleMs } from "./retries.ts";
import { type HeardRefusal, SecondOpinion } from "./second-opinion.ts";
import { type KeyedForm, Trials } from "./trials.ts";
import type {
	Acceptance,
	JudgedResource,
	Speaker,
	Verdict,
	Verdicts,
} from "./verdicts.ts";

/** Takes what must outlive the process. */
export interface LastGoodSink {
	put(entry: LastGood): void;
	forget(ref: ObjectRef): void;
}

/** What the controller works with. */
export interface QuarantineParts {
	readonly inputs: {
		readonly objects: Signal<Objects>;
		/** By `refKey`. */
		readonly invalid: Signal<ReadonlyMap<string, InvalidObject>>;
		readonly allListed: Signal<boolean>;
		readonly verdicts: Verdicts;
	};
	/** What an earlier process kept. */
	readonly remembered: readonly LastGood[];
	readonly sink: LastGoodSink;
	readonly clock: Clock;
	readonly logger: Logger;
	readonly metrics: MetricsRegistry;
}

/** Forms of one object of which is remembered where they were accepted. */
const maxAccepted = 4;

/** Refusals that may wait for a build. */
const maxWaiting = 1000;

/** See the head of this file. */
export class Quarantine {
	readonly #parts: QuarantineParts;
	readonly #objects: WritableSignal<Objects>;
	readonly #known = new Map<string, KnownObject>();
	readonly #present: PresentSoftware;
	readonly #opinion: SecondOpinion;
	readonly #trials: Trials;
	readonly #retries: Retries;
	/** Accepted forms: contents by software, type and object; the newest last. */
	readonly #accepted = new Map<string, readonly string[]>();
	/** Versions that were looked at since the last build, by software and type. */
	readonly #seen = new Map<string, Set<string>>();
	#asked: { readonly objects: Objects; readonly forms: MeshForms } | undefined;
	#inForce: MeshForms | undefined;
	/** When the form of an object came into force, monotonic. */
	readonly #since = new Map<string, { content: string; ms: number }>();
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
		for (const one of remembered)
			this.#known.set(refKey(one.ref), new KnownObject(one.ref, one));
		this.#present = new PresentSoftware(
			clock,
			new Set([...this.#known.values()].flatMap((one) => [...one.software()])),
			() => this.#changedIfDoubted(),
		);
		this.#opinion = new SecondOpinion(
			clock,
			(software) => this.#present.proxiesOf(software),
			(heard) => this.#hear(heard),
		);
		this.#trials = new Trials(clock, () => this.#nextTrials());
		this.#retries = new Retries(
			clock,
			() => this.#nextQuestion(),
			() => this.#changed(),
		);
		this.#gauge = metrics.gauge(
			"lateen_quarantined_objects",
			"Objects that proxies refuse and that are held back in their last good form, from all or from some.",
		);
		this.#objects = new WritableSignal(inputs.objects.value);
		this.#keepValid(undefined, inputs.objects.value);
		this.#stops.push(
			inputs.objects.subscribe((objects) => this.#takeObjects(objects)),
			inputs.verdicts.subscribe((verdict) => this.#take(verdict)),
			inputs.allListed.subscribe(() => this.#forgetGone()),
			() => this.#present[Symbol.dispose](),
			() => this.#opinion[Symbol.dispose](),
			() => this.#trials[Symbol.dispose](),
			() => this.#retries[Symbol.dispose](),
		);
		this.#forgetGone();
		this.#tellHeldBack();
	}

	/** What the mesh is to be built from, through `forms`; set again when only what is held back has changed. */
	get objects(): Signal<Objects> {
		return this.#objects;
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
		const before = this.#inForce;
		this.#inForce = forms;
		this.#noteSince(before?.objects, forms.objects);
		this.#seen.clear();
		this.#isBuildDue = objects !== this.#objects.value;
		this.#acceptUnchanged(before, forms);
		if (this.#isBuildDue) return;
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const heard of waiting) this.#hear(heard);
		this.#nextTrials();
	}

	#takeObjects(objects: Objects): void {
		this.#keepValid(this.#objects.value, objects);
		this.#isBuildDue = true;
		this.#objects.set(objects);
		this.#tellHeldBack();
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
				for (const resource of verdict.resources)
					this.#accept(verdict, resource);
				return;
			case "refused":
				this.#opinion.refused(verdict);
				return;
		}
	}

	/** A refusal that nobody has contradicted; what was made from older objects says nothing about what is in force next. */
	#hear(heard: HeardRefusal): void {
		if (!this.#isBuildDue) this.#refuse(heard);
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
		for (const [key, known] of this.#known) {
			if (!known.isMarked) continue;
			const object = this.#objectAt(known.ref);
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

	#accept(said: Acceptance, resource: JudgedResource): void {
		const { software, type } = said;
		const { version, origins } = resource;
		if (!origins.some(({ kind }) => isHeldKind(kind))) return;
		for (const ref of origins) {
			const known = this.#known.get(refKey(ref));
			if (known?.absolveVersion(software, version))
				this.#absolved(known, software);
		}
		// What one proxy is asked about is in an edition of its own.
		const asked = this.#retries.asked.has(said.proxy) ? said.proxy : "";
		const place = `${software} ${type} ${asked}`;
		let seen = this.#seen.get(place);
		if (seen === undefined) {
			seen = new Set();
			this.#seen.set(place, seen);
		}
		if (seen.has(version)) return;
		seen.add(version);
		if (!this.#parts.inputs.verdicts.isCurrent(said, version)) return;
		for (const form of this.#formsOf(said, origins))
			this.#acceptForm(form, said, type);
		this.#endProvenTrials();
	}

	/** A form that makes no difference to resources that proxies have is accepted in them already. */
	#acceptUnchanged(before: MeshForms | undefined, now: MeshForms): void {
		const { verdicts } = this.#parts.inputs;
		const speakers: Speaker[] = [
			...[...this.#present.all].map((software) => ({ software, proxy: "" })),
			...this.#retries.asked.values(),
		];
		for (const speaker of speakers) {
			const changed = changedObjects(
				before && objectsFor(before, speaker),
				objectsFor(now, speaker),
			);
			for (const form of this.#formsOf(speaker, changed)) {
				for (const { type, version } of verdicts.carrying(speaker, form.ref)) {
					if (!verdicts.hasAccepted(speaker.software, version)) continue;
					this.#acceptForm(form, speaker, type);
				}
			}
		}
		this.#endProvenTrials();
	}

	#acceptForm(form: KeyedForm, by: Speaker, type: string): void {
		const { key, content, ref } = form;
		const { software, proxy } = by;
		const at = `${software} ${type} ${key}`;
		const before = this.#accepted.get(at) ?? [];
		if (before.at(-1) === content) return;
		const others = before.filter((one) => one !== content);
		this.#accepted.set(at, [...others, content].slice(-maxAccepted));
		const known = this.#knownOf(ref);
		known.accept(content, software);
		const refusal = known.refusals(content).get(software);
		const isOther = proxy !== "" && refusal?.by.has(proxy) === false;
		if (isOther && this.#isContradicted(refusal, form, by, type)) {
			known.absolve(content, software);
			this.#absolved(known, software);
		}
		this.#prove(known, form, by);
	}

	/** Whether a proxy that accepts a form in a resource of this type shows that the one which refused it is alone with that. */
	#isContradicted(
		{ resource }: Refusal,
		form: KeyedForm,
		by: Speaker,
		type: string,
	): boolean {
		if (resource !== undefined)
			return resource.type === type && !resource.wasProven;
		return this.#isAcceptedInAllTypes(form, by, [by.software]);
	}

	#absolved(known: KnownObject, software: string): void {
		this.#parts.logger.info(
			"Another proxy of the same software accepts what one had refused; the object is no longer held back for that.",
			{ object: printRef(known.ref), software },
		);
		this.#retries.answered(refKey(known.ref), software);
		this.#keep(known);
		this.#changed();
	}

	/** Proxies have accepted a form; when that is so in every type of resource that carries it, it is the last good one. */
	#prove(known: KnownObject, form: KeyedForm, by: Speaker): void {
		const { ref, content } = form;
		const now = this.#objectAt(ref);
		const isNow = now !== undefined && contentOf(now) === content;
		// What some have instead of a newer form is as good as it was, but not the newest.
		if (known.isProven(content) && !isNow) return;
		if (known.isNewestProven(content)) return;
		// Of what some refuse it is not certain yet that it is good.
		if (known.refusals(content).size > 0) return;
		if (!this.#isAcceptedInAllTypes(form, by, this.#present.all)) return;
		const object =
			this.#inForce && keptObjectAt(objectsFor(this.#inForce, by), ref);
		if (object === undefined) return;
		known.prove(object);
		// Mended: what was wrong before is of no interest any more.
		if (isNow) known.forgetRefusals();
		this.#keep(known);
		this.#tellHeldBack();
	}

	/** Whether some of this software accept a form in every type of resource that carries it, as `proxy` gets it. */
	#isAcceptedInAllTypes(
		form: KeyedForm,
		proxy: Speaker,
		software: Iterable<string>,
	): boolean {
		const { verdicts } = this.#parts.inputs;
		for (const { type } of verdicts.carrying(proxy, form.ref)) {
			const isAccepted = [...software].some((one) =>
				this.#isAccepted(form, one, type),
			);
			if (!isAccepted) return false;
		}
		return true;
	}

	#refuse({ verdict, by }: HeardRefusal): void {
		const { verdicts } = this.#parts.inputs;
		const { software, type, proxy, message } = verdict;
		const [resource] = verdict.resources;
		if (resource === undefined) return;
		const { version, origins } = resource;
		for (const ref of origins)
			this.#known.get(refKey(ref))?.confirmVersion(software, version, by);
		if (!verdicts.isCurrent(verdict, version)) return;
		// What others accept as it is, or what says nothing about it, is the proxy's own trouble.
		if (verdicts.hasAccepted(software, version)) return;
		if (isOwnTrouble(message)) return;
		const forms = this.#formsOf(verdict, origins);
		if (this.#isKnownRefusal(forms, software, by)) return;
		const isProven = (form: KeyedForm): boolean =>
			this.#isAccepted(form, software, type) ||
			// Of what an earlier process has proven is not known in which types.
			this.#knownOf(form.ref).wasProvenEarlier(form.content);
		const hasPeers = this.#present.proxiesOf(software).size > 1;
		// Others accept each of these; with nobody to compare, they may still not go together.
		if (hasPeers && forms.every(isProven)) return;
		const suspects = this.#suspects(forms.filter((form) => !isProven(form)));
		const blame = decideBlame(
			forms,
			(form) => !suspects.includes(form),
			(form) => this.#changedMs(form),
		);
		switch (blame.op) {
			case "nobody":
				return;
			case "one": {
				const { ref, content } = blame.form;
				const known = this.#knownOf(ref);
				const wasProven = isProven(blame.form);
				known.refuse(content, software, {
					proxy,
					message,
					by,
					resource: { type, version, wasProven },
				});
				this.#trials.endOf(software, [blame.form]);
				this.#retries.look();
				this.#parts.logger.warn(
					"A proxy refuses what an object became; the object is held back from proxies of its software.",
					{ object: printRef(ref), proxy, software, reason: message },
				);
				this.#keep(known);
				this.#changed();
				return;
			}
			case "several":
				this.#trials.begin(
					{ forms: blame.first, software, type },
					blame.second,
				);
				this.#changed();
				return;
		}
	}

	/** Of forms that are not proven, those that can wait for a trial; what some have instead of a newer form cannot, so one of these alone. */
	#suspects(unproven: readonly KeyedForm[]): readonly KeyedForm[] {
		const now = unproven.filter(({ ref, content }) => {
			const object = this.#objectAt(ref);
			return object !== undefined && contentOf(object) === content;
		});
		return now.length > 0 ? now : unproven.slice(0, 1);
	}

	/** Whether it is known already that one of these is refused; then that is certain now. */
	#isKnownRefusal(
		forms: readonly KeyedForm[],
		software: string,
		by: ReadonlySet<string>,
	): boolean {
		const refused = forms.filter(
			({ ref, content }) =>
				this.#known.get(refKey(ref))?.refusals(content).has(software) === true,
		);
		if (refused.length === 0) return false;
		for (const { ref, key, content } of refused) {
			const known = this.#knownOf(ref);
			known.confirm(content, software, by);
			this.#retries.answered(key, software);
			this.#keep(known);
		}
		this.#trials.endOf(software, refused);
		this.#changed();
		return true;
	}

	#endProvenTrials(): void {
		const isProven = this.#trials.endProven((form, { software, type }) =>
			this.#isAccepted(form, software, type),
		);
		if (isProven) this.#nextTrials();
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

	#isAccepted(
		{ key, content }: KeyedForm,
		software: string,
		type: string,
	): boolean {
		const accepted = this.#accepted.get(`${software} ${type} ${key}`);
		return accepted?.includes(content) === true;
	}

	#doubts(objects: Objects) {
		return doubtsAbout(objects, {
			known: this.#known,
			trials: this.#trials,
			present: this.#present.all,
		});
	}

	/** These objects as the proxy gets them. */
	#formsOf(
		proxy: Speaker,
		origins: readonly ObjectRef[],
	): readonly KeyedForm[] {
		if (this.#inForce === undefined) return [];
		const objects = objectsFor(this.#inForce, proxy);
		const forms = new Map<string, KeyedForm>();
		for (const ref of origins) {
			if (!isHeldKind(ref.kind)) continue;
			const object = keptObjectAt(objects, ref);
			if (object === undefined) continue;
			const key = refKey(ref);
			forms.set(key, { ref, key, content: contentOf(object) });
		}
		return [...forms.values()];
	}

	#objectAt(ref: ObjectRef): ApiObject | undefined {
		return keptObjectAt(this.#parts.inputs.objects.value, ref);
	}

	#knownOf(ref: ObjectRef): KnownObject {
		const key = refKey(ref);
		let known = this.#known.get(key);
		if (known === undefined) {
			known = new KnownObject(ref);
			this.#known.set(key, known);
		}
		return known;
	}

	/** When the form came into force; what some have instead of a newer one did long ago. */
	#changedMs({ key, content }: KeyedForm): number {
		const since = this.#since.get(key);
		return since?.content === content ? since.ms : Number.NEGATIVE_INFINITY;
	}

	#noteSince(before: Objects | undefined, now: Objects): void {
		const ms = this.#parts.clock.monotonicMs();
		for (const ref of changedObjects(before, now)) {
			const object = keptObjectAt(now, ref);
			const key = refKey(ref);
			const content = object && contentOf(object);
			if (content === undefined || this.#since.get(key)?.content === content)
				continue;
			this.#since.set(key, { content, ms });
		}
	}

	/** Keeps the newest valid forms, and forgets objects that are gone. */
	#keepValid(before: Objects | undefined, now: Objects): void {
		const { invalid, allListed } = this.#parts.inputs;
		for (const kind of keptKinds) {
			const old: ReadonlyMap<string, ApiObject> | undefined = before?.[kind];
			const current: ReadonlyMap<string, ApiObject> = now[kind];
			if (old === current) continue;
			for (const [key, object] of current) {
				if (old?.get(key) === object) continue;
				const known = this.#knownOf(refOf(object));
				if (known.kept !== contentOf(object)) this.#keep(known);
			}
			for (const [key, object] of old ?? []) {
				const ref = refOf(object);
				if (current.has(key) || invalid.value.has(refKey(ref))) continue;
				if (allListed.value) this.#forget(ref);
			}
		}
	}

	/** What was deleted while nobody ran is gone, too. */
	#forgetGone(): void {
		const { invalid, allListed } = this.#parts.inputs;
		if (!allListed.value) return;
		for (const [key, { ref }] of [...this.#known]) {
			if (this.#objectAt(ref) !== undefined) continue;
			if (!invalid.value.has(key)) this.#forget(ref);
		}
	}

	#keep(known: KnownObject): void {
		const valid = this.#objectAt(known.ref);
		known.kept = valid && contentOf(valid);
		this.#parts.sink.put(known.lastGood(valid));
	}

	#forget(ref: ObjectRef): void {
		const key = refKey(ref);
		this.#known.delete(key);
		this.#trials.forget(key);
		this.#since.delete(key);
		for (const at of [...this.#accepted.keys()]) {
			if (at.endsWith(` ${key}`)) this.#accepted.delete(at);
		}
		this.#parts.sink.forget(ref);
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
