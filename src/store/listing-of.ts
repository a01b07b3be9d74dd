import type { Change, Kind } from "../api/objects.ts";
import { emptyObjects, isKind } from "./empty-objects.ts";

/**
 * Turns what a source found at its start into one complete listing of every kind.
 *
 * Expects: puts only; a source that has just started has nothing to delete.
 */
export function listingOf(puts: readonly Change[]): readonly Change[] {
	const listings: Change[] = [];
	for (const kind of Object.keys(emptyObjects()).filter(isKind)) {
		listings.push(listingOfKind(kind, puts));
	}
	return listings;
}

function listingOfKind(kind: Kind, puts: readonly Change[]): Change {
	return {
		op: "replace-kind",
		kind,
		objects: puts.flatMap((change) =>
			change.op === "put" && change.object.kind === kind ? [change.object] : [],
		),
		invalid: puts.flatMap((change) =>
			change.op === "put-invalid" && change.invalid.ref.kind === kind
				? [change.invalid]
				: [],
		),
	};
}
