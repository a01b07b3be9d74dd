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
 * goes out. When several objects may be to blame, they are let in one half after
 * the other, each half alone among what is proven.
 */

import { refOf } from "../api/metadata.ts";
import type { ObjectRef } from "../api/object-ref.ts";
import { objectKey, printRef } from "../api/object-ref.ts";
import type { ApiObject, InvalidObject, Objects } from "../api/objects.ts";
import type { Clock } from "../lib/clock.ts";
import { deepEqual } from "../lib/deep-equal.ts";
import { type Signal, WritableSignal } from "../lib/signal.ts";
import type { Logger } from "../observability/logger.ts";
import type { Gauge, MetricsRegistry } from "../observability/metrics.ts";
import type { HeldBack, ProxyRejection } from "../reconcilers/distribution.ts";
import {
	decideBlame,
	type Form,
	isHeldBack,
	isOwnTrouble,
} from "../reconcilers/quarantine.ts";
import { contentOf } from "../store/content-of.ts";
import type { LastGood } from "../store/last-good.ts";
import { refKey } from "../store/ref-key.ts";

/** Kinds that can be held back: what Envoy is told of them is freely written. */
const heldKinds = ["ExternalService", "RouteRule"] as const;

/** Kinds of which the last good form outlives the process. */
const keptKinds = [...heldKinds, "Mesh"] as const;

type HeldKind = (typeof heldKinds)[number];

/** A resource as far as blame goes. */
export interface JudgedResource {
	readonly name: string;
	readonly version: string;
	/** The objects behind it. */
	readonly origins: readonly ObjectRef[];
}

/** What a proxy said about resources. */
export type Verdict =
	| {
			readonly op: "connected";
			/** `envoy 1.40.0`; proxies of the same software accept the same. */
			readonly software: string;
	  }
	| { readonly op: "disconnected" }
	| {
			readonly op: "accepted";
			readonly software: string;
			readonly type: string;
			readonly resources: readonly JudgedResource[];
	  }
	| {
			/** It refused each of these alone. */
			readonly op: "refused";
			readonly software: string;
			readonly type: string;
			/** `namespace/name` of its workload. */
			readonly proxy: string;
			readonly message: string;
			readonly resources: readonly JudgedResource[];
	  };

/** Where the controller hears of proxies. */
export interface Verdicts {
	/** Calls `listener` with what proxies say until the returned function is called. */
	subscribe(listener: (verdict: Verdict) => void): () => void;
	/** Whether a resource of this version was made from the mesh in force. */
	isCurrent(version: string): boolean;
	/** The resources that were made from an object in the mesh in force. */
	carrying(
		ref: ObjectRef,
	): Iterable<{ readonly type: string; readonly version: string }>;
	/** Whether a proxy of this software has accepted the version. */
	hasAccepted(software: string, version: string): boolean;
}

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

/** That proxies of one software refuse a form. */
interface Refusal extends ProxyRejection {
	/** The resource that was refused; undefined when an earlier process heard of it. */
	readonly resource:
		| {
				readonly type: string;
				readonly version: string;
				/** Proxies of this software had accepted the form in another resource of this type. */
				readonly wasProven: boolean;
		  }
		| undefined;
}

/** What is known of one form that was refused. */
interface Mark {
	/** By software. */
	readonly refusals: Map<string, Refusal>;
	undecidedUntilMs: number;
}

/** Everything that is remembered about one object. */
interface Known {
	readonly ref: ObjectRef;
	/** Accepted forms, the newest first; two are enough to fall back from the newer one. */
	proven: readonly ApiObject[];
	/** By content; the newest last. */
	readonly marks: Map<string, Mark>;
	/** Content of the valid form that was kept last. */
	kept: string | undefined;
}

interface ForceForm extends Form {
	readonly key: string;
}

/** Forms that are let in together while others wait. */
interface Trial {
	readonly forms: readonly ForceForm[];
	readonly software: string;
	readonly type: string;
}

/** Time that proxies of other software get to show that they accept what one refused. Milliseconds. */
const otherSoftwareMs = 1500;

/** Time that other proxies of the same software get to show that the one that refused is alone with it. Milliseconds. */
const secondOpinionMs = 500;

/** Longest wait for a verdict on what was let in; a proxy that is gone gives none. Milliseconds. */
const trialMs = 5000;

/** Forms of one object of which is remembered that they were refused. */
const maxMarks = 4;

/** Verdicts that may wait for a build. */
const maxWaiting = 1000;

/** See the head of this file. */
export class Quarantine {
	readonly #parts: QuarantineParts;
	readonly #objects: WritableSignal<Objects>;
	readonly #known = new Map<string, Known>();
	/** Content of forms that wait for their turn to be tried, by object. */
	readonly #suspended = new Map<string, string>();
	#queue: Trial[] = [];
	#trial: (Trial & { readonly cancel: () => void }) | undefined;
	/** Accepted forms: content by software, type and object. */
	readonly #accepted = new Map<string, string>();
	/** By object: software that accepted the content. */
	readonly #acceptedBy = new Map<
		string,
		{ readonly content: string; readonly by: Set<string> }
	>();
	/** Versions that were looked at since the last build, by software and type. */
	readonly #seen = new Map<string, Set<string>>();
	readonly #software = new Set<string>();
	#proxies = 0;
	#asked: Objects | undefined;
	#effective: Objects | undefined;
	#inForce: Objects | undefined;
	/** When the form of an object came into force, monotonic. */
	readonly #since = new Map<string, { content: string; ms: number }>();
	#isBuildDue = true;
	#waiting: Verdict[] = [];
	readonly #heldBack = new WritableSignal<ReadonlyMap<string, HeldBack>>(
		new Map(),
	);
	readonly #stops: (() => void)[] = [];
	readonly #timers = new Set<() => void>();
	readonly #gauge: Gauge;

	/** Starts at once; disposing ends it. */
	constructor(parts: QuarantineParts) {
		this.#parts = parts;
		const { inputs, remembered, metrics } = parts;
		for (const { ref, valid, proven, refusals } of remembered) {
			const known = this.#knownOf(ref);
			if (valid !== undefined) known.kept = contentOf(valid);
			if (proven !== undefined) known.proven = [proven];
			for (const { content, software, proxy, message } of refusals) {
				this.#mark(known, content).refusals.set(software, {
					proxy,
					message,
					resource: undefined,
				});
			}
		}
		this.#gauge = metrics.gauge(
			"lateen_quarantined_objects",
			"Objects that proxies refuse and that are held back in their last good form.",
		);
		this.#objects = new WritableSignal(inputs.objects.value);
		this.#keepValid(undefined, inputs.objects.value);
		this.#stops.push(
			inputs.objects.subscribe((objects) => this.#takeObjects(objects)),
			inputs.verdicts.subscribe((verdict) => this.#take(verdict)),
			inputs.allListed.subscribe(() => this.#forgetGone()),
		);
		this.#forgetGone();
		this.#tellHeldBack();
	}

	/** What the mesh is to be built from, through `effective`; set again when only what is held back has changed. */
	get objects(): Signal<Objects> {
		return this.#objects;
	}

	/** Good objects that do not take part as they are, by `refKey`. */
	get heldBack(): Signal<ReadonlyMap<string, HeldBack>> {
		return this.#heldBack;
	}

	[Symbol.dispose](): void {
		for (const stop of this.#stops.splice(0)) stop();
		this.#trial?.cancel();
		for (const cancel of this.#timers) cancel();
	}

	/** These objects with last good forms in the place of what is held back. What is not held back keeps its reference. */
	effective(objects: Objects): Objects {
		let effective = objects;
		for (const [key, object] of this.#held(objects)) {
			const { kind } = object;
			const map = new Map<string, ApiObject>(effective[kind]);
			const fallback = this.#fallback(key);
			if (fallback === undefined) map.delete(objectKey(object.metadata));
			else map.set(objectKey(object.metadata), fallback);
			effective = { ...effective, [kind]: map };
		}
		// The same substitution again is no change for whoever compares references.
		effective = sameMaps(this.#effective, effective);
		this.#asked = objects;
		this.#effective = effective;
		return effective;
	}

	/** The mesh in force was built from what `effective` answered last. */
	built(): void {
		if (this.#effective === undefined) return;
		const changed = this.#noteChanges(this.#effective);
		this.#inForce = this.#effective;
		this.#seen.clear();
		this.#isBuildDue = this.#asked !== this.#objects.value;
		this.#acceptUnchanged(changed);
		if (this.#isBuildDue) return;
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const verdict of waiting) this.#take(verdict);
		this.#nextTrial();
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
				this.#proxies -= 1;
				return;
			case "connected":
				this.#proxies += 1;
				this.#meet(verdict.software);
				return;
			case "accepted":
				// What was made from older objects says nothing about what is in force next.
				for (const resource of verdict.resources)
					this.#accept(verdict, resource);
				return;
			case "refused":
				if (this.#isBuildDue) {
					if (this.#waiting.length < maxWaiting) this.#waiting.push(verdict);
					return;
				}
				for (const resource of verdict.resources) {
					if (!this.#isBuildDue) this.#refuse(verdict, resource);
					else if (this.#waiting.length < maxWaiting) {
						this.#waiting.push({ ...verdict, resources: [resource] });
					}
				}
				return;
		}
	}

	/** Proxies of software that was not here yet may accept what others refuse. */
	#meet(software: string): void {
		if (this.#software.has(software)) return;
		this.#software.add(software);
		let isOpen = false;
		for (const [key, known] of this.#known) {
			const object = objectAt(this.#parts.inputs.objects.value, known.ref);
			if (object === undefined) continue;
			const mark = known.marks.get(contentOf(object));
			if (mark === undefined || mark.refusals.has(software)) continue;
			if (!this.#isHeld(key, object)) continue;
			this.#leaveOpen(mark, otherSoftwareMs);
			isOpen = true;
		}
		if (isOpen) this.#changed();
	}

	#accept(
		{ software, type }: { readonly software: string; readonly type: string },
		{ version, origins }: JudgedResource,
	): void {
		if (!origins.some(({ kind }) => isHeldKind(kind))) return;
		const place = `${software} ${type}`;
		let seen = this.#seen.get(place);
		if (seen === undefined) {
			seen = new Set();
			this.#seen.set(place, seen);
		}
		if (seen.has(version)) return;
		seen.add(version);
		if (!this.#parts.inputs.verdicts.isCurrent(version)) return;
		for (const form of this.#formsOf(origins)) {
			this.#acceptForm(form, software, type);
		}
		this.#endTrialIfProven();
	}

	/** A form that makes no difference to resources that proxies have is accepted in them already. */
	#acceptUnchanged(refs: readonly ObjectRef[]): void {
		const { verdicts } = this.#parts.inputs;
		for (const form of this.#formsOf(refs)) {
			for (const { type, version } of verdicts.carrying(form.ref)) {
				for (const software of this.#software) {
					if (!verdicts.hasAccepted(software, version)) continue;
					this.#acceptForm(form, software, type);
				}
			}
		}
		this.#endTrialIfProven();
	}

	#acceptForm(form: ForceForm, software: string, type: string): void {
		const at = `${software} ${type} ${form.key}`;
		if (this.#accepted.get(at) === form.content) return;
		this.#accepted.set(at, form.content);
		this.#prove(form, software);
	}

	#endTrialIfProven(): void {
		const trial = this.#trial;
		if (
			trial?.forms.every((form) =>
				this.#isProven(form, trial.software, trial.type),
			)
		) {
			this.#endTrial();
			this.#nextTrial();
		}
	}

	/** Proxies have accepted a form; when that is so in every type of resource that carries it, it is the last good one. */
	#prove(form: ForceForm, software: string): void {
		const { key, ref, content } = form;
		let accepted = this.#acceptedBy.get(key);
		if (accepted?.content !== content) {
			accepted = { content, by: new Set() };
			this.#acceptedBy.set(key, accepted);
		}
		accepted.by.add(software);
		const known = this.#knownOf(ref);
		const [newest] = known.proven;
		if (newest !== undefined && contentOf(newest) === content) return;
		// Of what some refuse it is not certain yet that it is good.
		if (this.#refusedBy(key, content).size > 0) return;
		for (const { type } of this.#parts.inputs.verdicts.carrying(ref)) {
			const isAccepted = [...this.#software].some(
				(one) => this.#accepted.get(`${one} ${type} ${key}`) === content,
			);
			if (!isAccepted) return;
		}
		const object = this.#inForce && objectAt(this.#inForce, ref);
		if (object === undefined) return;
		known.proven = newest === undefined ? [object] : [object, newest];
		const raw = objectAt(this.#parts.inputs.objects.value, ref);
		// Mended: what was wrong before is of no interest any more.
		if (raw !== undefined && contentOf(raw) === content) known.marks.clear();
		this.#keep(known);
		this.#tellHeldBack();
	}

	#refuse(
		verdict: Verdict & { readonly op: "refused" },
		{ version, origins }: JudgedResource,
	): void {
		const { verdicts } = this.#parts.inputs;
		const { software, type, proxy, message } = verdict;
		if (!verdicts.isCurrent(version)) return;
		// What others accept as it is, or what says nothing about it, is the proxy's own trouble.
		if (verdicts.hasAccepted(software, version)) return;
		if (isOwnTrouble(message)) return;
		const forms = this.#formsOf(origins);
		const isProven = (form: ForceForm): boolean =>
			this.#isProven(form, software, type);
		// It is known already who is to blame.
		const isKnown = ({ key, content }: ForceForm): boolean =>
			this.#known.get(key)?.marks.get(content)?.refusals.has(software) === true;
		if (forms.some(isKnown)) {
			this.#endTrialOf(forms.filter(isKnown));
			return;
		}
		// Others accept each of these; with nobody to compare, they may still not go together.
		if (this.#proxies > 1 && forms.every(isProven)) return;
		const blame = decideBlame(
			forms,
			isProven,
			({ key }) => this.#since.get(key)?.ms ?? 0,
		);
		switch (blame.op) {
			case "nobody":
				return;
			case "one": {
				const { ref, content } = blame.form;
				const known = this.#knownOf(ref);
				const mark = this.#mark(known, content);
				const wasProven = isProven(blame.form);
				mark.refusals.set(software, {
					proxy,
					message,
					resource: { type, version, wasProven },
				});
				const others = [...this.#software].some(
					(one) => !mark.refusals.has(one),
				);
				if (others) this.#leaveOpen(mark, otherSoftwareMs);
				else if (this.#proxies > 1) this.#leaveOpen(mark, secondOpinionMs);
				this.#endTrialOf([blame.form]);
				this.#parts.logger.warn(
					"A proxy refuses what an object became; the object is held back as soon as no other proxy accepts it.",
					{ object: printRef(ref), proxy, reason: message },
				);
				this.#keep(known);
				this.#changed();
				return;
			}
			case "several": {
				this.#endTrial();
				for (const { key, content } of blame.second) {
					this.#suspended.set(key, content);
				}
				this.#queue.unshift({ forms: blame.second, software, type });
				this.#startTrial({ forms: blame.first, software, type });
				this.#changed();
				return;
			}
		}
	}

	#startTrial(trial: Trial): void {
		const cancel = this.#parts.clock.after(trialMs, () => {
			this.#endTrial();
			this.#nextTrial();
		});
		this.#trial = { ...trial, cancel };
	}

	#endTrial(): void {
		this.#trial?.cancel();
		this.#trial = undefined;
	}

	#endTrialOf(forms: readonly ForceForm[]): void {
		const keys = new Set(forms.map(({ key }) => key));
		if (this.#trial?.forms.some(({ key }) => keys.has(key))) this.#endTrial();
	}

	/** Lets the next group in, unless one is being tried. */
	#nextTrial(): void {
		if (this.#trial !== undefined || this.#isBuildDue) return;
		const next = this.#queue.shift();
		if (next === undefined) return;
		const forms = next.forms.filter(
			({ key, content }) => this.#suspended.get(key) === content,
		);
		for (const { key } of forms) this.#suspended.delete(key);
		this.#startTrial({ ...next, forms });
		this.#changed();
	}

	/** Has the mesh built again. */
	#changed(): void {
		this.#isBuildDue = true;
		this.#objects.set({ ...this.#parts.inputs.objects.value });
		this.#tellHeldBack();
	}

	/** Gives other proxies time to accept the form that `mark` is about. */
	#leaveOpen(mark: Mark, ms: number): void {
		const { clock } = this.#parts;
		mark.undecidedUntilMs = Math.max(
			mark.undecidedUntilMs,
			clock.monotonicMs() + ms,
		);
		const cancel = clock.after(ms, () => {
			this.#timers.delete(cancel);
			this.#changed();
		});
		this.#timers.add(cancel);
	}

	#isProven(form: ForceForm, software: string, type: string): boolean {
		const { key, content } = form;
		if (this.#accepted.get(`${software} ${type} ${key}`) === content) {
			return true;
		}
		// Of what an earlier process has proven is not known in which types.
		const proven = this.#known.get(key)?.proven ?? [];
		return proven.some((one) => contentOf(one) === content);
	}

	#isHeld(key: string, object: ApiObject): boolean {
		const content = contentOf(object);
		if (this.#suspended.get(key) === content) return true;
		const mark = this.#known.get(key)?.marks.get(content);
		if (mark === undefined) return false;
		const accepted = this.#acceptedBy.get(key);
		return isHeldBack(
			{
				refusedBy: this.#refusedBy(key, content),
				acceptedBy: accepted?.content === content ? accepted.by : new Set(),
				undecidedUntilMs: mark.undecidedUntilMs,
			},
			this.#parts.clock.monotonicMs(),
		);
	}

	/** Software that refuses a form, but for what a single proxy of it refuses. */
	#refusedBy(key: string, content: string): ReadonlySet<string> {
		const refusedBy = new Set<string>();
		const mark = this.#known.get(key)?.marks.get(content);
		for (const [software, refusal] of mark?.refusals ?? []) {
			if (!this.#isContradicted(key, content, software, refusal)) {
				refusedBy.add(software);
			}
		}
		return refusedBy;
	}

	/** Whether another proxy of the same software has accepted what one has refused since. */
	#isContradicted(
		key: string,
		content: string,
		software: string,
		{ resource }: Refusal,
	): boolean {
		if (resource === undefined) return false;
		const { type, version, wasProven } = resource;
		if (this.#parts.inputs.verdicts.hasAccepted(software, version)) return true;
		return (
			!wasProven && this.#accepted.get(`${software} ${type} ${key}`) === content
		);
	}

	/** Those of these objects that are held back, by `refKey`. */
	#held(objects: Objects): ReadonlyMap<string, ApiObject> {
		const held = new Map<string, ApiObject>();
		for (const [key, { ref, marks }] of this.#known) {
			if (marks.size === 0 && !this.#suspended.has(key)) continue;
			const object = objectAt(objects, ref);
			if (object !== undefined && this.#isHeld(key, object)) {
				held.set(key, object);
			}
		}
		return held;
	}

	/** The newest accepted form that nobody refuses. */
	#fallback(key: string): ApiObject | undefined {
		const known = this.#known.get(key);
		return known?.proven.find(
			(form) => this.#refusedBy(key, contentOf(form)).size === 0,
		);
	}

	#formsOf(origins: readonly ObjectRef[]): readonly ForceForm[] {
		const forms = new Map<string, ForceForm>();
		for (const ref of origins) {
			if (!isHeldKind(ref.kind) || this.#inForce === undefined) continue;
			const object = objectAt(this.#inForce, ref);
			if (object === undefined) continue;
			const key = refKey(ref);
			this.#knownOf(ref);
			forms.set(key, { ref, key, content: contentOf(object) });
		}
		return [...forms.values()];
	}

	#knownOf(ref: ObjectRef): Known {
		const key = refKey(ref);
		let known = this.#known.get(key);
		if (known === undefined) {
			known = { ref, proven: [], marks: new Map(), kept: undefined };
			this.#known.set(key, known);
		}
		return known;
	}

	#mark(known: Known, content: string): Mark {
		let mark = known.marks.get(content);
		if (mark === undefined) {
			mark = {
				refusals: new Map(),
				undecidedUntilMs: Number.NEGATIVE_INFINITY,
			};
			known.marks.set(content, mark);
			const [oldest] = known.marks.keys();
			if (known.marks.size > maxMarks && oldest !== undefined) {
				known.marks.delete(oldest);
			}
		}
		return mark;
	}

	/** Notes since when forms are in force; answers the objects whose form is new. */
	#noteChanges(now: Objects): readonly ObjectRef[] {
		const changed: ObjectRef[] = [];
		const ms = this.#parts.clock.monotonicMs();
		for (const kind of heldKinds) {
			if (this.#inForce?.[kind] === now[kind]) continue;
			for (const object of now[kind].values()) {
				const ref = refOf(object);
				const key = refKey(ref);
				const content = contentOf(object);
				if (this.#since.get(key)?.content === content) continue;
				this.#since.set(key, { content, ms });
				changed.push(ref);
			}
		}
		return changed;
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
		const { objects, invalid, allListed } = this.#parts.inputs;
		if (!allListed.value) return;
		for (const [key, { ref }] of [...this.#known]) {
			if (objectAt(objects.value, ref) !== undefined) continue;
			if (!invalid.value.has(key)) this.#forget(ref);
		}
	}

	#keep(known: Known): void {
		const { ref, proven, marks } = known;
		const valid = objectAt(this.#parts.inputs.objects.value, ref);
		known.kept = valid && contentOf(valid);
		this.#parts.sink.put({
			ref,
			valid,
			proven: this.#fallback(refKey(ref)) ?? proven[0],
			refusals: [...marks].flatMap(([content, { refusals }]) =>
				[...refusals].map(([software, { proxy, message }]) => ({
					content,
					software,
					proxy,
					message,
				})),
			),
		});
	}

	#forget(ref: ObjectRef): void {
		const key = refKey(ref);
		this.#known.delete(key);
		this.#suspended.delete(key);
		this.#acceptedBy.delete(key);
		this.#since.delete(key);
		for (const at of [...this.#accepted.keys()]) {
			if (at.endsWith(` ${key}`)) this.#accepted.delete(at);
		}
		this.#parts.sink.forget(ref);
	}

	#tellHeldBack(): void {
		const told = new Map<string, HeldBack>();
		for (const [key, object] of this.#held(this.#parts.inputs.objects.value)) {
			const mark = this.#known.get(key)?.marks.get(contentOf(object));
			told.set(key, {
				generation: object.metadata.generation,
				inForceGeneration: this.#fallback(key)?.metadata.generation,
				rejections: [...(mark?.refusals.values() ?? [])].map(
					({ proxy, message }) => ({ proxy, message }),
				),
			});
		}
		if (deepEqual(told, this.#heldBack.value)) return;
		this.#gauge.set(told.size);
		this.#heldBack.set(told);
	}
}

function isHeldKind(kind: string): kind is HeldKind {
	return heldKinds.some((one) => one === kind);
}

function objectAt(objects: Objects, ref: ObjectRef): ApiObject | undefined {
	const kind = keptKinds.find((one) => one === ref.kind);
	return kind === undefined ? undefined : objects[kind].get(objectKey(ref));
}

/** `after` with the maps of `before` where they hold the same objects. */
function sameMaps(before: Objects | undefined, after: Objects): Objects {
	if (before === undefined) return after;
	let same = after;
	for (const kind of heldKinds) {
		const old: ReadonlyMap<string, ApiObject> = before[kind];
		const now: ReadonlyMap<string, ApiObject> = after[kind];
		if (old === now || old.size !== now.size) continue;
		const isSame = [...now].every(([key, object]) => old.get(key) === object);
		if (isSame) same = { ...same, [kind]: old };
	}
	return same;
}
