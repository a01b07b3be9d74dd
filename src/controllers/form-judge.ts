import { printRef } from "../api/object-ref.ts";
import type { Logger } from "../observability/logger.ts";
import { decideBlame, isOwnTrouble } from "../reconcilers/quarantine.ts";
import { refKey } from "../store/ref-key.ts";
import { AcceptedForms } from "./accepted-forms.ts";
import type { FormsInForce } from "./forms-in-force.ts";
import { isHeldKind } from "./held-kinds.ts";
import type { KeyedForm } from "./keyed-form.ts";
import type { KnownObject, Refusal } from "./known-object.ts";
import type { KnownObjects } from "./known-objects.ts";
import type { PresentSoftware } from "./present-software.ts";
import type { Retries } from "./retries.ts";
import type { HeardRefusal } from "./second-opinion.ts";
import type { Trials } from "./trials.ts";
import type {
	Acceptance,
	JudgedResource,
	Speaker,
	Verdicts,
} from "./verdicts.ts";

/** What the judge looks into, and whom it tells. */
export interface FormJudgeParts {
	readonly verdicts: Verdicts;
	readonly known: KnownObjects;
	readonly present: PresentSoftware;
	readonly inForce: FormsInForce;
	readonly trials: Trials;
	readonly retries: Retries;
	readonly logger: Logger;
	/** Whether proxies of this software that are connected elsewhere have the form and accept it. */
	readonly isAcceptedElsewhere: (form: KeyedForm, software: string) => boolean;
	/** Other forms are to take part than do now. */
	readonly changed: () => void;
	/** A form has become the last good one. */
	readonly proven: () => void;
	/** All that is being tried is proven. */
	readonly trialOver: () => void;
}

/**
 * What it means for objects that a proxy accepts or refuses a resource: a form
 * is proven, or refused, or it is not certain yet which one is.
 */
export class FormJudge {
	readonly #parts: FormJudgeParts;
	readonly #accepted = new AcceptedForms();
	/** Versions that were looked at since the last build, by software and type. */
	readonly #seen = new Map<string, Set<string>>();

	constructor(parts: FormJudgeParts) {
		this.#parts = parts;
	}

	/** The object is gone. */
	forget(key: string): void {
		this.#accepted.forget(key);
	}

	/** A proxy has accepted resources: thousands at a time, most of which others have accepted before. */
	accept(said: Acceptance): void {
		const { software, type } = said;
		// What one proxy is asked about is in an edition of its own.
		const asked = this.#parts.retries.isAsked(said.proxy) ? said.proxy : "";
		const place = `${software} ${type} ${asked}`;
		let seen = this.#seen.get(place);
		if (seen === undefined) {
			seen = new Set();
			this.#seen.set(place, seen);
		}
		for (const resource of said.resources) {
			if (seen.has(resource.version)) continue;
			seen.add(resource.version);
			this.#acceptOne(said, resource);
		}
	}

	#acceptOne(said: Acceptance, { version, origins }: JudgedResource): void {
		if (!origins.some(({ kind }) => isHeldKind(kind))) return;
		const { software, type } = said;
		for (const ref of origins) {
			const known = this.#parts.known.all.get(refKey(ref));
			if (known?.absolveVersion(software, version))
				this.#absolved(known, software);
		}
		if (!this.#parts.verdicts.isCurrent(said, version)) return;
		for (const form of this.#parts.inForce.of(said, origins))
			this.#acceptForm(form, said, type);
		this.#endProvenTrials();
	}

	/** Other forms are in force; one that makes no difference to resources that proxies have is accepted in them already. */
	changed(): void {
		this.#seen.clear();
		const verdicts = this.#parts.verdicts;
		const speakers: Speaker[] = [
			...[...this.#parts.present.all].map((software) => ({
				software,
				proxy: "",
			})),
			...this.#parts.retries.asked.values(),
		];
		for (const speaker of speakers) {
			for (const form of this.#parts.inForce.changed(speaker)) {
				for (const { type, version } of verdicts.carrying(speaker, form.ref)) {
					if (!verdicts.hasAccepted(speaker.software, version)) continue;
					this.#acceptForm(form, speaker, type);
				}
			}
		}
		this.#endProvenTrials();
	}

	#acceptForm(form: KeyedForm, by: Speaker, type: string): void {
		const { content, ref } = form;
		const { software, proxy } = by;
		if (!this.#accepted.note(form, software, type)) return;
		const known = this.#parts.known.of(ref);
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
		return this.#isAcceptedInAllTypes(form, by, new Set([by.software]));
	}

	#absolved(known: KnownObject, software: string): void {
		this.#parts.logger.info(
			"Another proxy of the same software accepts what one had refused; the object is no longer held back for that.",
			{ object: printRef(known.ref), software },
		);
		this.#parts.retries.answered(refKey(known.ref), software);
		this.#parts.known.keep(known);
		this.#parts.changed();
	}

	/** Proxies have accepted a form; when that is so in every type of resource that carries it, it is the last good one. */
	#prove(known: KnownObject, form: KeyedForm, by: Speaker): void {
		const { ref, content } = form;
		const isNow = this.#parts.known.isNow(ref, content);
		// What some have instead of a newer form is as good as it was, but not the newest.
		if (known.isProven(content) && !isNow) return;
		if (known.isNewestProven(content)) return;
		// Of what some refuse it is not certain yet that it is good.
		if (known.refusals(content).size > 0) return;
		if (!this.#isAcceptedInAllTypes(form, by, this.#parts.present.all)) return;
		const object = this.#parts.inForce.objectAt(by, ref);
		if (object === undefined) return;
		known.prove(object);
		// Mended: what was wrong before is of no interest any more.
		if (isNow) known.forgetRefusals();
		this.#parts.known.keep(known);
		this.#parts.proven();
	}

	/** Whether some of this software accept a form in every type of resource that carries it, as `proxy` gets it. */
	#isAcceptedInAllTypes(
		form: KeyedForm,
		proxy: Speaker,
		software: ReadonlySet<string>,
	): boolean {
		const carrying = this.#parts.verdicts.carrying(proxy, form.ref);
		const types = new Set([...carrying].map(({ type }) => type));
		return this.#accepted.hasInAll(form, software, types);
	}

	/** A proxy has refused a resource of what is in force, and nobody has contradicted it. */
	refuse({ verdict, by }: HeardRefusal): void {
		const { verdicts, present } = this.#parts;
		const { software, type, proxy, message } = verdict;
		const [resource] = verdict.resources;
		if (resource === undefined) return;
		const { version, origins } = resource;
		for (const ref of origins) {
			const known = this.#parts.known.all.get(refKey(ref));
			if (known?.confirmVersion(software, version, by))
				this.#parts.known.keep(known);
		}
		if (!verdicts.isCurrent(verdict, version)) return;
		// What others accept as it is, or what says nothing about it, is the proxy's own trouble.
		if (verdicts.hasAccepted(software, version)) return;
		if (isOwnTrouble(message)) return;
		const forms = this.#parts.inForce.of(verdict, origins);
		if (this.#isKnownRefusal(forms, software, by)) return;
		const isElsewhere = (form: KeyedForm): boolean =>
			this.#parts.isAcceptedElsewhere(form, software);
		const isProven = (form: KeyedForm): boolean =>
			this.#accepted.has(form, software, type) ||
			isElsewhere(form) ||
			// Of what an earlier process has proven is not known in which types.
			this.#parts.known.of(form.ref).wasProvenEarlier(form.content);
		const hasPeers =
			present.hasOthers(software, new Set([proxy])) || forms.some(isElsewhere);
		// Others accept each of these; with nobody to compare, they may still not go together.
		if (hasPeers && forms.every(isProven)) return;
		const suspects = this.#suspects(forms.filter((form) => !isProven(form)));
		const blame = decideBlame(
			forms,
			(form) => !suspects.includes(form),
			(form) => this.#parts.inForce.sinceMs(form),
		);
		switch (blame.op) {
			case "nobody":
				return;
			case "one": {
				const { ref, content } = blame.form;
				const known = this.#parts.known.of(ref);
				const wasProven = isProven(blame.form);
				known.refuse(content, software, {
					proxy,
					message,
					by,
					resource: { type, version, wasProven },
				});
				this.#parts.trials.endOf(software, [blame.form]);
				this.#parts.retries.look();
				this.#parts.logger.warn(
					"A proxy refuses what an object became; the object is held back from proxies of its software.",
					{ object: printRef(ref), proxy, software, reason: message },
				);
				this.#parts.known.keep(known);
				this.#parts.changed();
				return;
			}
			case "several":
				this.#parts.trials.begin(
					{ forms: blame.first, software, type },
					blame.second,
				);
				this.#parts.changed();
				return;
		}
	}

	/** Of forms that are not proven, those that can wait for a trial; what some have instead of a newer form cannot, so one of these alone. */
	#suspects(unproven: readonly KeyedForm[]): readonly KeyedForm[] {
		const now = unproven.filter(({ ref, content }) =>
			this.#parts.known.isNow(ref, content),
		);
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
				this.#parts.known.all
					.get(refKey(ref))
					?.refusals(content)
					.has(software) === true,
		);
		if (refused.length === 0) return false;
		for (const { ref, key, content } of refused) {
			const known = this.#parts.known.of(ref);
			known.confirm(content, software, by);
			this.#parts.retries.answered(key, software);
			this.#parts.known.keep(known);
		}
		this.#parts.trials.endOf(software, refused);
		this.#parts.changed();
		return true;
	}

	#endProvenTrials(): void {
		const isProven = this.#parts.trials.endProven((form, { software, type }) =>
			this.#accepted.has(form, software, type),
		);
		if (isProven) this.#parts.trialOver();
	}
}
