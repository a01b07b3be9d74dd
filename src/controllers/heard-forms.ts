import { type ObjectRef, printRef } from "../api/object-ref.ts";
import type { Logger } from "../observability/logger.ts";
import { contentOf } from "../store/content-of.ts";
import { isHeldKind } from "./held-kinds.ts";
import type { KeyedForm } from "./keyed-form.ts";
import type { KnownObject } from "./known-object.ts";
import type { KnownObjects } from "./known-objects.ts";
import type { ToldForms } from "./told-forms.ts";

/** What each of several others knows of the forms of an object. */
export interface OtherForms {
	on(ref: ObjectRef): readonly ToldForms[];
	/** Calls `listener` with objects of which another says something else until the returned function is called. */
	subscribe(listener: (refs: Iterable<ObjectRef>) => void): () => void;
}

/** What others are heard with. */
export interface HeardFormsParts {
	readonly others: OtherForms;
	readonly known: KnownObjects;
	readonly logger: Logger;
	/** Other forms are to take part than do now. */
	readonly changed: () => void;
	/** A form has become the last good one. */
	readonly proven: () => void;
}

/**
 * Takes over what proxies accept and refuse that are connected elsewhere, so that
 * everybody holds back the same.
 *
 * A refusal is believed unless some proxy of the same software, here or elsewhere,
 * accepts the same form. It stays when who told it is gone: nobody has shown that it
 * is wrong. What was taken over is not told on, so nobody hears it back.
 */
export class HeardForms {
	readonly #parts: HeardFormsParts;
	readonly #stop: () => void;

	/** Listens at once; disposing ends it. */
	constructor(parts: HeardFormsParts) {
		this.#parts = parts;
		this.#stop = parts.others.subscribe((refs) => {
			for (const ref of refs) this.look(ref);
		});
	}

	[Symbol.dispose](): void {
		this.#stop();
	}

	/** Takes over what is told of an object: it, or what is told of it, has changed. */
	look(ref: ObjectRef): void {
		const { others, known, changed, proven } = this.#parts;
		if (!isHeldKind(ref.kind) || known.formNow(ref) === undefined) return;
		const told = others.on(ref);
		if (told.length === 0) return;
		const one = known.of(ref);
		const isChanged = this.#takeVerdicts(one, told);
		const isConfirmed = takeWitnesses(one, told);
		const isProven = this.#takeGoodForm(one, told);
		if (!isConfirmed && !isChanged && !isProven) return;
		known.keep(one);
		if (isChanged) changed();
		else if (isProven) proven();
	}

	/** Whether proxies of this software that are connected elsewhere have the form and accept it. */
	isAccepted({ ref, content }: KeyedForm, software: string): boolean {
		return isAmong(this.#parts.others.on(ref), content, software);
	}

	#takeVerdicts(one: KnownObject, told: readonly ToldForms[]): boolean {
		let isChanged = false;
		for (const { content, software } of told.flatMap((by) => by.accepted)) {
			if (!one.refusals(content).has(software)) continue;
			one.absolve(content, software);
			isChanged = true;
			this.#parts.logger.info(
				"A proxy of the same software that is connected to another replica accepts what one has refused; the object is no longer held back for that.",
				{ object: printRef(one.ref), software },
			);
		}
		for (const refusal of told.flatMap((by) => by.refused)) {
			const { content, software, proxy, message } = refusal;
			const isAcceptedHere =
				one.isProven(content) && one.acceptedBy(content).has(software);
			if (
				isAcceptedHere ||
				one.refusals(content).has(software) ||
				isAmong(told, content, software)
			)
				continue;
			one.refuse(content, software, { proxy, message, resource: undefined });
			isChanged = true;
			this.#parts.logger.warn(
				"A proxy that is connected to another replica refuses what an object became; the object is held back from proxies of its software.",
				{ object: printRef(one.ref), proxy, software, reason: message },
			);
		}
		return isChanged;
	}

	/** The form that there is now is the last good one when proxies elsewhere accept it and nobody refuses it. */
	#takeGoodForm(one: KnownObject, told: readonly ToldForms[]): boolean {
		const form = this.#parts.known.formNow(one.ref);
		if (form === undefined) return false;
		const now = contentOf(form);
		const isGood = told.some(({ accepted }) =>
			accepted.some(({ content }) => content === now),
		);
		if (!isGood || one.isNewestProven(now) || one.refusals(now).size > 0)
			return false;
		one.adopt(form);
		one.forgetRefusals();
		return true;
	}
}

/**
 * One proxy here and another elsewhere are two, so nobody need be asked any more,
 * now or after a restart; answers whether it was one until now.
 */
function takeWitnesses(one: KnownObject, told: readonly ToldForms[]): boolean {
	let isConfirmed = false;
	for (const { content, software, proxy } of told.flatMap((by) => by.refused)) {
		const isSure = (): boolean =>
			one.refusals(content).get(software)?.isConfirmed === true;
		if (isSure()) continue;
		one.confirm(content, software, [proxy]);
		isConfirmed ||= isSure();
	}
	return isConfirmed;
}

function isAmong(
	told: readonly ToldForms[],
	content: string,
	software: string,
): boolean {
	return told.some(({ accepted }) =>
		accepted.some(
			(one) => one.content === content && one.software === software,
		),
	);
}
