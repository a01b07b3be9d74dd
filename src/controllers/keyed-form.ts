import type { Form } from "../reconcilers/quarantine.ts";

/** A form, with the key of its object. */
export interface KeyedForm extends Form {
	/** `refKey`. */
	readonly key: string;
}
