import type { KeyedForm } from "./keyed-form.ts";

/** Forms of one object of which is remembered where they were accepted. */
const maxForms = 4;

/** Where proxies have accepted forms: in resources of which type, by software. */
export class AcceptedForms {
	/** Contents by software, type and object; the newest last. */
	readonly #contents = new Map<string, readonly string[]>();

	/** Notes that a form was accepted; answers false when that was said last, too. */
	note(form: KeyedForm, software: string, type: string): boolean {
		const { key, content } = form;
		const at = `${software} ${type} ${key}`;
		const before = this.#contents.get(at) ?? [];
		if (before.at(-1) === content) return false;
		const others = before.filter((one) => one !== content);
		this.#contents.set(at, [...others, content].slice(-maxForms));
		return true;
	}

	/** Whether proxies of this software have accepted the form in a resource of this type. */
	has({ key, content }: KeyedForm, software: string, type: string): boolean {
		const accepted = this.#contents.get(`${software} ${type} ${key}`);
		return accepted?.includes(content) === true;
	}

	/** Whether some of this software have accepted the form in each of these types. */
	hasInAll(
		form: KeyedForm,
		software: ReadonlySet<string>,
		types: Iterable<string>,
	): boolean {
		for (const type of types) {
			if (![...software].some((one) => this.has(form, one, type))) return false;
		}
		return true;
	}

	/** The object is gone. */
	forget(key: string): void {
		for (const at of [...this.#contents.keys()]) {
			if (at.endsWith(` ${key}`)) this.#contents.delete(at);
		}
	}
}
