import { printRef } from "../api/object-ref.ts";
import type { Violation } from "../api/violation.ts";
import type { Verdict } from "./judge.ts";
import { printReview } from "./print-review.ts";

/** Longest warning in characters: Kubernetes asks for at most 120, and clients show one line each. */
const maxWarning = 120;

/** Warnings in one answer; the API server cuts all of them once they exceed 4096 characters. */
const maxWarnings = 16;

/** Violations that are listed one by one; a person mends some and asks again. */
const maxCauses = 32;

/** Longest message of one violation, in characters. */
const maxMessage = 1024;

/**
 * An AdmissionReview with what is said of an object.
 *
 * @param group of the object's kind
 */
export function printAnswer(
	uid: string,
	verdict: Verdict,
	group = "lateen.dev",
): string {
	return printReview(uid, {
		allowed: verdict.allowed,
		...(verdict.allowed
			? warningsOf(verdict.warnings)
			: { status: statusOf(verdict, group) }),
	});
}

/** The field of an answer with warnings that clients show whole; none when there are none. */
export function warningsOf(all: readonly string[]): {
	readonly warnings?: readonly string[];
} {
	if (all.length === 0) return {};
	const shown = all.length <= maxWarnings ? all : all.slice(0, maxWarnings - 1);
	const more = all.length - shown.length;
	return {
		warnings: [
			...shown.map(printWarning),
			...(more === 0
				? []
				: [`And ${more} more; the conditions of the object list them.`]),
		],
	};
}

/** Whole sentences as long as they fit, because half a sentence misleads; at least a beginning. */
function printWarning(text: string): string {
	const line = text.replaceAll(/\s+/g, " ").trim();
	if (line.length <= maxWarning) return line;
	const sentences = line.slice(0, maxWarning + 1).match(/^.*[.!?](?= )/);
	return sentences?.[0] ?? cut(line, maxWarning);
}

/**
 * The refusal as the API server words its own (`Invalid`, 422), so that kubectl lists the violations of
 * schema, CEL and webhook in the same way.
 */
function statusOf(
	{ about, violations }: Extract<Verdict, { readonly allowed: false }>,
	group: string,
): unknown {
	const listed = violations.slice(0, maxCauses).map(bounded);
	const more = violations.length - listed.length;
	const rest = more === 0 ? "" : ` And ${more} more.`;
	return {
		status: "Failure",
		code: 422,
		reason: "Invalid",
		message: `${printRef(about)}: ${listed.map(printViolation).join(" ")}${rest}`,
		details: {
			group,
			kind: about.kind,
			name: about.name,
			causes: [
				...listed.map(({ path, message }) => ({
					reason: "FieldValueInvalid",
					field: path === "" ? "object" : path,
					message,
				})),
				...(more === 0
					? []
					: [
							{
								reason: "FieldValueInvalid",
								field: "object",
								message: rest.trim(),
							},
						]),
			],
		},
	};
}

function printViolation({ path, message }: Violation): string {
	return path === "" ? message : `${path}: ${message}`;
}

function bounded({ path, message }: Violation): Violation {
	return { path: cut(path, maxMessage), message: cut(message, maxMessage) };
}

function cut(text: string, max: number): string {
	if (text.length <= max) return text;
	// A surrogate pair that is cut in half is no text.
	return `${text.slice(0, max - 1).replace(/[\uD800-\uDBFF]$/, "")}…`;
}
