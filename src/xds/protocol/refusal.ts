import type { Resource } from "../resource.ts";
import type { Rejection } from "./delivery.ts";
import { suspectGroups } from "./suspects.ts";
import { heldVersion, type InFlight, type TypeState } from "./type-state.ts";

/** Envoy joins the failures of a whole response; this much of it is kept. */
const maxMessageLength = 4096;

/** What a proxy said to a response that it did not accept. */
export interface Refusal {
	/** Why, in its words. */
	readonly error: string;
	/** Whether each response of this type is the whole state: what it does not hold is gone. */
	readonly isFullState: boolean;
}

type Refused = Pick<Rejection, "resources" | "removed">;

/**
 * Notes that a response was refused, and has what was refused together sent again
 * in ever smaller groups.
 */
export function noteRefusal(
	state: TypeState,
	inFlight: InFlight,
	refusal: Refusal,
): Omit<Rejection, "type"> {
	const refused = reject(state, inFlight);
	const condemned = isolate(state, inFlight, refused, refusal);
	const message = refusal.error.slice(0, maxMessageLength);
	return { ...refused, condemned, message };
}

/** Only what the proxy does not have yet can be what it rejected. */
function reject(state: TypeState, { sent, withheld }: InFlight): Refused {
	const resources: Resource[] = [];
	const removed: string[] = [];
	for (const [name, resource] of sent) {
		const held = state.held.get(name);
		if (resource === undefined) {
			if (held === undefined) continue;
			state.rejected.set(name, undefined);
			removed.push(name);
		} else if (held === undefined || heldVersion(held) !== resource.version) {
			state.rejected.set(name, resource);
			resources.push(resource);
		} else if (state.rejectedRemoval(name) && !withheld.has(name)) {
			// It has what it was sent, so the removal that it refused before is no longer wanted.
			state.rejected.delete(name);
		}
	}
	return { resources, removed };
}

/** Has what was refused together sent again apart; answers what was refused alone. */
function isolate(
	state: TypeState,
	{ sent, since }: InFlight,
	{ resources, removed }: Refused,
	{ error, isFullState }: Refusal,
): readonly Resource[] {
	// A list that is the whole state holds what the proxy has in any case.
	const cameAlone = isFullState
		? resources.length === 0
		: [...sent].every(([, resource]) => resource === undefined);
	for (const name of cameAlone ? [] : removed) {
		// No proxy has a reason to refuse a removal; it came with what was refused.
		state.rejected.delete(name);
		state.look(name, since, "changed");
	}
	if (resources.length === 0) return [];
	const names = resources.map(({ name }) => name);
	const isRefused = new Set(names);
	// A list that is the whole state has these every time.
	const others = isFullState
		? []
		: [...sent.keys()].filter(
				(name) => !isRefused.has(name) && sent.get(name) !== undefined,
			);
	if (names.length === 1) {
		state.apart.first([others]);
		return resources;
	}
	const [first = [], ...rest] = suspectGroups(names, error);
	state.apart.first([[...others, ...first], ...rest]);
	return [];
}
