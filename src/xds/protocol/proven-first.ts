import type { Resource } from "../resource.ts";
import type { LookReason } from "./type-state.ts";

/** A resource that is to be sent, and why it was looked at. */
export interface Wanted {
	readonly resource: Resource;
	readonly reason: LookReason;
}

/**
 * Splits what is to be sent so that what nobody has proven cannot spoil the
 * response of what somebody has. When all of it is one or the other, there is
 * nothing to split; what is to be tried again has a response of its own already.
 *
 * @param withProven whether the response has something that is proven besides
 */
export function provenFirst(
	wanted: readonly Wanted[],
	isProven: (resource: Resource) => boolean,
	withProven = false,
): {
	readonly now: readonly Wanted[];
	/** Names of what goes in the next response. */
	readonly later: readonly string[];
} {
	const later: string[] = [];
	const now: Wanted[] = [];
	for (const one of wanted) {
		if (one.reason === "retry" || isProven(one.resource)) now.push(one);
		else later.push(one.resource.name);
	}
	return later.length === 0 || (now.length === 0 && !withProven)
		? { now: wanted, later: [] }
		: { now, later };
}
