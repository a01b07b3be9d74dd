import { Fields } from "./fields.ts";
import type { Metadata } from "./metadata.ts";
import { printValue } from "./print-value.ts";
import type { Report } from "./report.ts";

/** How the name of a kind's objects may look. */
export type NameForm = "label" | "subdomain";

/**
 * Reads `metadata`.
 *
 * Guarantees: as much of it as can be read is read, so that what is wrong can
 *   be told under the object's name.
 */
export function parseMetadata(
	object: Readonly<Record<string, unknown>>,
	kind: { readonly isNamespaced: boolean; readonly nameForm: NameForm },
	report: Report,
): Metadata {
	const fields = new Fields(object, [], report).object("metadata");
	const name = fields.text("name");
	if (name === undefined || name === "") {
		fields.report("name", "The object has no name. Add metadata.name.");
	} else {
		checkName(fields, "name", name, kind.nameForm);
	}
	const namespace = kind.isNamespaced
		? (fields.text("namespace") ?? "") || "default"
		: "";
	if (kind.isNamespaced) checkName(fields, "namespace", namespace, "label");
	const uid = fields.text("uid");
	return {
		namespace,
		name: name ?? "",
		labels: fields.textMap("labels"),
		annotations: fields.textMap("annotations"),
		generation: parseGeneration(object["metadata"]),
		createdMs: parseCreated(fields),
		...(uid !== undefined && uid !== "" && { uid }),
	};
}

const LABEL = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;

/** RFC 1123, as Kubernetes asks of names. */
function checkName(
	fields: Fields,
	field: "name" | "namespace",
	name: string,
	form: NameForm,
): void {
	const parts = form === "label" ? [name] : name.split(".");
	const limit = form === "label" ? 63 : 253;
	if (!parts.every((part) => LABEL.test(part))) {
		const dots = form === "label" ? "" : " and dots";
		fields.report(
			field,
			`${printValue(name)} is not a name. Use lower-case letters, digits, "-"${dots}, with a letter or digit at both ends.`,
		);
	} else if (name.length > limit) {
		fields.report(
			field,
			`The name is longer than ${limit} characters. Shorten it.`,
		);
	}
}

/** Absent in files that people write; a source that counts always writes it right. */
function parseGeneration(metadata: unknown): number {
	const generation =
		typeof metadata === "object" && metadata !== null
			? Reflect.get(metadata, "generation")
			: undefined;
	return typeof generation === "number" && Number.isSafeInteger(generation)
		? Math.max(1, generation)
		: 1;
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

function parseCreated(fields: Fields): number {
	const text = fields.text("creationTimestamp");
	if (text === undefined) return 0;
	const ms = TIME.test(text) ? Date.parse(text) : Number.NaN;
	if (Number.isNaN(ms)) {
		fields.report(
			"creationTimestamp",
			`${printValue(text)} is not a time. Remove the field: it is written by the API server, in the form "2026-01-31T12:00:00Z".`,
		);
		return 0;
	}
	return ms;
}
