import type { FieldPath } from "./field-path.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";

/**
 * Reads fields of a foreign object whose schema is not ours: what is absent or
 * null is undefined, what has another type than it must is reported and undefined.
 */
export class Fields {
	readonly path: FieldPath;
	readonly #value: Readonly<Record<string, unknown>>;
	readonly #report: Report;

	constructor(
		value: Readonly<Record<string, unknown>>,
		path: FieldPath,
		report: Report,
	) {
		this.path = path;
		this.#value = value;
		this.#report = report;
	}

	/** Reports something about a field. */
	report(name: string, message: string): void {
		this.#report([...this.path, name], message);
	}

	/** A string. */
	text(name: string): string | undefined {
		const value = this.#value[name];
		if (value === undefined || value === null) return undefined;
		if (typeof value === "string") return value;
		return this.#refuse(name, value, "a string");
	}

	/** A boolean. */
	flag(name: string): boolean | undefined {
		const value = this.#value[name];
		if (value === undefined || value === null) return undefined;
		if (typeof value === "boolean") return value;
		return this.#refuse(name, value, "true or false");
	}

	/** A port number. */
	port(name: string): number | undefined {
		const value = this.#value[name];
		if (value === undefined || value === null) return undefined;
		if (isPort(value)) return value;
		return this.#refuse(name, value, "a port between 1 and 65535");
	}

	/** A port number, or the name of a port. */
	portOrName(name: string): number | string | undefined {
		const value = this.#value[name];
		if (value === undefined || value === null || value === "") return undefined;
		if (typeof value === "string" || isPort(value)) return value;
		// Kubernetes writes 0 where no target port makes sense.
		if (value === 0) return undefined;
		return this.#refuse(name, value, "a port between 1 and 65535, or its name");
	}

	/** One of some words. */
	word<const W extends string>(
		name: string,
		words: readonly W[],
	): W | undefined {
		const text = this.text(name);
		if (text === undefined) return undefined;
		const word = words.find((one) => one === text);
		return word ?? this.#refuse(name, text, `one of ${words.join(", ")}`);
	}

	/** An object; an empty one when absent. */
	object(name: string): Fields {
		const value = this.#value[name];
		const path = [...this.path, name];
		if (value === undefined || value === null) {
			return new Fields({}, path, this.#report);
		}
		if (isRecord(value)) return new Fields(value, path, this.#report);
		this.#refuse(name, value, "an object");
		return new Fields({}, path, this.#report);
	}

	/** A list of objects; an empty one when absent. */
	objects(name: string): readonly Fields[] {
		return this.#list(name).flatMap((item, index) => {
			const path = [...this.path, name, index];
			if (isRecord(item)) return [new Fields(item, path, this.#report)];
			this.#report(path, mustBe("an object", item));
			return [];
		});
	}

	/** A list of strings; an empty one when absent. */
	texts(name: string): readonly string[] {
		return this.#list(name).flatMap((item, index) => {
			if (typeof item === "string") return [item];
			this.#report([...this.path, name, index], mustBe("a string", item));
			return [];
		});
	}

	/** A map of strings; an empty one when absent. */
	textMap(name: string): Readonly<Record<string, string>> {
		const value = this.#value[name];
		if (value === undefined || value === null) return {};
		if (!isRecord(value)) {
			this.#refuse(name, value, "an object");
			return {};
		}
		const map: Record<string, string> = {};
		for (const [key, text] of Object.entries(value)) {
			if (typeof text === "string") map[key] = text;
			else
				this.#report([...this.path, name, { key }], mustBe("a string", text));
		}
		return map;
	}

	#list(name: string): readonly unknown[] {
		const value = this.#value[name];
		if (value === undefined || value === null) return [];
		if (Array.isArray(value)) return value;
		this.#refuse(name, value, "a list");
		return [];
	}

	#refuse(name: string, value: unknown, wanted: string): undefined {
		this.report(name, mustBe(wanted, value));
		return undefined;
	}
}

/** Whether a value has fields. */
export function isRecord(
	value: unknown,
): value is Readonly<Record<string, unknown>> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function mustBe(wanted: string, value: unknown): string {
	const problem = `The value must be ${wanted}, but is ${printValue(value)}.`;
	const isPlain = typeof value === "number" || typeof value === "boolean";
	return wanted === "a string" && isPlain
		? `${problem} Put it in quotes: "${value}".`
		: `${problem} Write ${wanted}.`;
}

function isPort(value: unknown): value is number {
	return (
		typeof value === "number" &&
		Number.isInteger(value) &&
		value >= 1 &&
		value <= 65535
	);
}
