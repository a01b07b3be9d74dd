import { compareRefs, compareText, type ObjectRef } from "../api/object-ref.ts";

/**
 * Why an object, or a part of it, is not in force. Stable; listed with the
 * user's next step in the docs.
 */
export type FindingReason =
	/** A Service, ExternalService or port that is named does not exist. */
	| "DestinationNotFound"
	/** No endpoint of the destination has the labels that are asked for. */
	| "SubsetEmpty"
	/** An earlier rule takes every request that this one could match. */
	| "Shadowed"
	/** Another object already owns what this one claims (a host, an address). */
	| "Conflict"
	/** The rule asks for something that this port's protocol cannot do. */
	| "ProtocolMismatch"
	/** A part of the object cannot be used as it is. */
	| "Unusable";

/** A fact about an API object that its owner should know. */
export interface Finding {
	/** The object that the fact is about. */
	readonly about: ObjectRef;
	/** The condition of the object that the fact turns false. */
	readonly condition: "Accepted" | "ResolvedRefs" | "Programmed";
	readonly reason: FindingReason;
	/** Path of the field concerned; empty for the whole object. */
	readonly path: string;
	/** Full sentences: what is so, and what to do about it. */
	readonly message: string;
}

/** Total order of findings: by object, then field, reason and message. */
export function compareFindings(a: Finding, b: Finding): number {
	return (
		compareRefs(a.about, b.about) ||
		compareText(a.path, b.path) ||
		compareText(a.reason, b.reason) ||
		compareText(a.message, b.message)
	);
}
